from reports import subject_of

from moderate_cli.reporting.gallery import gallery


def test_the_gallery_shows_ends_and_middle_kept_and_dropped(tmp_path, monkeypatch):
    monkeypatch.setattr("moderate_cli.reporting.gallery.MOST_ON_A_SHELF", 2)
    subject = subject_of(tmp_path, [8, 7, 6, 5, 4, 3, 2, 1], [0] * 8, "a")
    assert {shelf.title: shelf.rows.tolist() for shelf in gallery(subject)[0]} == {
        "Nearest to the center": [7, 6],
        "At the median": [4, 3],
        "Farthest from the center": [0, 1],
        "Kept, from low to high": [4, 2],
        "Dropped, from low to high": [6, 0],
    }
