"""Rounds of a plain loop in one process, as one writes it without a framework."""

from benchmarks.peers.federation import Turns, folder_of_work, read, trainer


def main() -> None:
    """Run a round in each turn: load the global model, train, add up the weighted states."""
    turns = Turns()
    folder = folder_of_work()
    work, _ = read(folder)
    method, train = trainer(folder)
    held, cohorts = work.holdings(), work.cohorts()
    model = {name: tensor.clone() for name, tensor in method.state_dict().items()}

    def run_round() -> dict[str, float]:
        nonlocal model
        cohort = next(cohorts)
        total = sum(len(held[client]) for client in cohort)
        sums = {name: tensor.float().zero_() for name, tensor in method.state_dict().items()}
        for client in cohort:
            method.load_state_dict(model)
            train(held[client])
            for name, tensor in method.state_dict().items():
                sums[name].add_(tensor, alpha=len(held[client]) / total)
        model = {name: sums[name].to(tensor.dtype) for name, tensor in model.items()}
        return {}

    turns.take(run_round)


if __name__ == "__main__":
    main()
