"""Where the conditional game comes to rest: with a critic that is linear, this can be said in closed form."""

import pytest
import torch
from torch import nn

from medlearn.models import gan

ASKED = torch.tensor([[1.0], [1.0], [-1.0], [-1.0]]).repeat(3, 1)  # rolled by one: half of them meet their like


class Linear(nn.Module):
    """The critic f(x, c) = v c x, from v = 0 on: it compares the mean of c x."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, points, conditions):
        return self.weight * (conditions * points)[:, 0]


class Location(nn.Module):
    """A generator that makes c g."""

    def __init__(self, place):
        super().__init__()
        self.place = nn.Parameter(torch.tensor(place))

    def forward(self, latent, conditions):
        return conditions * self.place + 0 * latent


@pytest.mark.parametrize("kind", ["non-saturating", "hinge", "wasserstein"])
@pytest.mark.parametrize(("mismatch", "at_rest"), [(0.0, 0.5), (0.25, 2 / 3), (0.5, 1.0)])
def test_mismatch_moves_the_rest_of_the_game_away_from_the_middle(kind, mismatch, at_rest):
    # Real ones lie at 0.5 c. The critic finds nothing where the means of c x agree: 0.5 = g without mismatch; with it
    # a share m of what counts as made are real ones under a condition drawn anew, where c x is 0 on average:
    # 0.5 = (1 - m) g.
    for place, sign in ((at_rest - 0.1, 1), (at_rest, 0), (at_rest + 0.1, -1)):
        critic, latent = Linear(), torch.zeros(12, 1)
        optimizer = torch.optim.SGD(critic.parameters(), lr=1.0)
        options = {"kind": kind, "mismatch": mismatch}
        gan.critic_step(Location(place), critic, optimizer, 0.5 * ASKED, latent, ASKED, **options)
        learned = critic.weight.item()
        assert abs(learned) < 1e-6 if sign == 0 else learned * sign > 0.01
