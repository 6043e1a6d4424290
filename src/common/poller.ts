/**
 * Does a piece of work over and over, resting while there is none, until it is stopped. What the work throws goes to
 * `onError`, and the next piece waits as if there were none.
 */
export class Poller {
  private isStopping = false;
  private lanes: Promise<void>[] = [];
  private wakers: (() => void)[] = [];

  /**
   * @param work does one piece and says whether there was one
   * @param options.restMs how long to wait for work before looking again
   * @param options.lanes how many pieces may be done at once
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

  /** Returns when the pieces under way are done. */
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
