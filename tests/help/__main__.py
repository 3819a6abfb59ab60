"""Write the help of every command."""

from tests.help import FOLDER, helps

if __name__ == "__main__":
    for path in FOLDER.glob("*.txt"):
        path.unlink()
    for path, text in helps().items():
        path.write_text(text)
