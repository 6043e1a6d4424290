/**
 * Repeats a piece of work until it is stopped, and rests while there is no work. Errors of the work go to
 * `onError`; the poller then rests as if there were no work.
 */
export class Poller {
  private isStopping = false;
  private lanes: Promise<void>[] = [];
  private wakers: (() => void)[] = [];

  /**
   * @param work does one piece and returns whether there was one
   * @param options.restMs how long to wait for work before looking again
   * @param options.lanes how many pieces may run concurrently
   */
  constructor(
    private readonly work: () => Promise<boolean>,
    private readonly onError: (error: unknown) => void,
    private readonly options: { restMs: number; lanes: number },
  ) {}

  start(): void {
    this.isStopping = false;
    this.lanes = Array.from({ length: this.options.lanes }, () => this.run());
  }

  /** Resolves when the pieces in progress are done. */
  async stop(): Promise<void> {
    this.isStopping = true;
    this.wake();
    await Promise.all(this.lanes);
    this.lanes = [];
  }

  /** Ends the rest: there may be work. */
  wake(): void {
    const wakers = this.wakers;
    this.wakers = [];
    wakers.forEach((waker) => waker());
  }

  private async run(): Promise<void> {
    while (!this.isStopping) {
      try {
        if (!(await this.work())) await this.rest();
      } catch (error) {
        this.onError(error);
        await this.rest();
      }
    }
  }

  private rest(): Promise<void> {
    if (this.isStopping) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(wake, this.options.restMs);
      function wake(): void {
        clearTimeout(timer);
        resolve();
      }
      this.wakers.push(wake);
    });
  }
}
