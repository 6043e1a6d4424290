import { connect, type Socket } from 'node:net';

export interface Conversation {
  /** All that came back. */
  answer: string;
  /** How long after its beginning the other side ended the connection. */
  endedAfterMs: number;
}

/** A connection on which a test says what it likes. */
export class RawSocket {
  readonly socket: Socket;
  private readonly begunAt = performance.now();
  private answer = '';
  readonly ended: Promise<Conversation>;

  constructor(url: string) {
    const { port, hostname } = new URL(url);
    this.socket = connect(Number(port), hostname).setEncoding('latin1');
    this.socket.on('data', (text: string) => (this.answer += text));
    // Writing to a connection that the server has ended is what some tests do.
    this.socket.on('error', () => undefined);
    this.ended = new Promise((resolve) =>
      this.socket.once('close', () =>
        resolve({ answer: this.answer, endedAfterMs: performance.now() - this.begunAt }),
      ),
    );
  }

  get received(): string {
    return this.answer;
  }

  write(text: string): void {
    this.socket.write(text);
  }

  /** Goes on sending a piece from time to time until the connection ends. */
  drip(piece: string, everyMs: number): void {
    const timer = setInterval(() => this.socket.write(piece), everyMs);
    this.socket.once('close', () => clearInterval(timer));
  }
}
