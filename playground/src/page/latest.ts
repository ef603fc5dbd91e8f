/** At most one run at a time; of the values that arrive meanwhile, only the latest is used. */
export function latest<T>(run: (value: T) => Promise<void>, failed: (error: unknown) => void): (value: T) => void {
  let waiting: { value: T } | null = null;
  let running = false;

  async function drain(): Promise<void> {
    running = true;
    while (waiting) {
      const { value } = waiting;
      waiting = null;
      try {
        await run(value);
      } catch (error) {
        failed(error);
      }
    }
    running = false;
  }

  return (value) => {
    waiting = { value };
    if (!running) void drain();
  };
}
