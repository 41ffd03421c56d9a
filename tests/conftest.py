"""Shared by all tests: one thread, for the networks here are tiny."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))  # for fakes.py
torch.set_num_threads(1)
