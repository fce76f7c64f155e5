// A gate: lets work through as long as the sum of its weights stays within a capacity; the rest waits in its order.

/** Bounds what runs at once. */
export interface Gate {
  /** Runs `work` once there is room for its weight; a weight above the capacity takes all of it. */
  run<Result>(weight: number, work: () => Promise<Result>): Promise<Result>;
}

/** Makes a gate. */
export function makeGate(capacity: number): Gate {
  const waiting: { readonly weight: number; readonly enter: () => void }[] = [];
  let used = 0;
  const letIn = (): void => {
    for (;;) {
      const [next] = waiting;
      if (next === undefined || used + next.weight > capacity) return;
      waiting.shift();
      used += next.weight;
      next.enter();
    }
  };
  return {
    run: async (given, work) => {
      const weight = Math.min(given, capacity);
      await new Promise<void>((enter) => {
        waiting.push({ weight, enter });
        letIn();
      });
      try {
        return await work();
      } finally {
        used -= weight;
        letIn();
      }
    },
  };
}
