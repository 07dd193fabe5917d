/** Writes frames in the order in which they were posted, all of one tick in one write, never past a full stream. */
import type { FrameStream } from './frames.ts';

export class FrameWriter {
  readonly #stream: FrameStream;
  #queue: Uint8Array[] = [];
  #running: Promise<void> | undefined;

  constructor(stream: FrameStream) {
    this.#stream = stream;
  }

  /** The caller bounds what is posted, by the number of exchanges that it has under way. */
  post(frame: Uint8Array): void {
    this.#queue.push(frame);
    this.#running ??= this.#run();
  }

  /** Resolves when all that was posted is with the stream, or the stream is closed. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      await Promise.resolve();
      while (this.#queue.length > 0) await this.#stream.write(...this.#queue.splice(0));
    } catch {
      // The stream is closed, which its `closed` tells: nobody is left to read these.
      this.#queue = [];
    } finally {
      this.#running = undefined;
    }
  }
}
