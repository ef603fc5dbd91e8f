"""Several generators in one: each digit is drawn by one of them, and a few latents of their own say by which.

What one generator draws badly, another draws well, so that a mixture has more forms than any of its members (Q. Hoang
et al., "MGAN: Training Generative Adversarial Nets with Multiple Generators", ICLR 2018). A digit costs what its member
costs: rows are sorted by member, drawn, and put back (N. Shazeer et al., "Outrageously Large Neural Networks: The
Sparsely-Gated Mixture-of-Experts Layer", 2017, arXiv:1701.06538, section 2; here with one expert a row).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.networks.generator import GeneratorNetwork


class MixtureGenerator(GeneratorNetwork):
    """Members with latents (N, D) and the same classes and pixels -> one generator with latents (N, D + members).

    The largest of the last latents names the member. So all draw equally often, whatever the latents are multiplied by.
    """

    def __init__(self, members: Sequence[GeneratorNetwork]) -> None:
        """Raises ValueError for members that do not take or give the same."""
        super().__init__()
        first = members[0]
        if len({(member.latent_dim, member.conditional, member.image_range) for member in members}) > 1:
            raise ValueError("expected members with the same latents, classes and range of pixels")
        self.members = nn.ModuleList(members)
        self.latent_dim = first.latent_dim + len(members)
        self.conditional = first.conditional
        self.image_range = first.image_range

    def drawers(self) -> Sequence[GeneratorNetwork]:
        """The members."""
        return list(self.members)  # type: ignore[arg-type]  # of which none is anything else

    def forward(self, latents: Tensor, *classes: Tensor) -> Tensor:
        """Latents (N, D), classes (N, 10) where conditional -> images (N, 1, 28, 28) float32 in `image_range`."""
        count = len(self.members)
        hands, choosers = latents[:, :-count], latents[:, -count:]
        drawers = choosers.argmax(dim=1)  # (N,)
        rows = [(drawers == index).nonzero().flatten() for index in range(count)]
        images = [
            member(*(given.index_select(0, own) for given in (hands, *classes)))
            for member, own in zip(self.members, rows, strict=True)
        ]
        order = torch.cat(rows)  # what row is drawn where
        places = torch.zeros_like(drawers).scatter(0, order, torch.arange(latents.shape[0], device=order.device))
        return torch.cat(images).index_select(0, places)
