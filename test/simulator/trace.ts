/** What happened, line by line, as a digest: two runs are the same run when these are equal. */
import { createHash } from 'node:crypto';

/** Characters that are hashed at once. */
const CHUNK = 1 << 16;

export class Trace {
  readonly #hash = createHash('sha256');
  readonly #onLine: ((line: string) => void) | null;
  #waiting = '';
  lines = 0;

  /** @param onLine is given every line, for a reader */
  constructor(onLine: ((line: string) => void) | null = null) {
    this.#onLine = onLine;
  }

  line(text: string): void {
    this.lines++;
    this.#onLine?.(text);
    this.#waiting += `${text}\n`;
    if (this.#waiting.length < CHUNK) return;
    this.#hash.update(this.#waiting);
    this.#waiting = '';
  }

  /** Ends the trace. */
  digest(): string {
    return this.#hash.update(this.#waiting).digest('hex');
  }
}
