"""Perturbation: a copy of a dataset with wrong labels and ruined pictures, for experiments."""

from moderate_cli.perturbation.copying import RECORD, write_perturbed
from moderate_cli.perturbation.scenario import ATTACKS, Attack, Perturbed, plan

__all__ = ["ATTACKS", "RECORD", "Attack", "Perturbed", "plan", "write_perturbed"]
