/** What this server's operator or application asked of the engine, until the engine says what became of it. */
import { refuse, type Refusal, type Result } from '../../base/result.ts';

export class Requests {
  readonly #max: number;
  readonly #waiting = new Map<number, (outcome: Result<number>) => void>();
  #number = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** @param ask is told the number of the request; refusals: the engine's, `busy`, `stopping` */
  make(ask: (request: number) => void): Promise<Result<number>> {
    if (this.#waiting.size >= this.#max) {
      return Promise.resolve(refuse('busy', 'too many requests wait', { limit: this.#max }));
    }
    const request = ++this.#number;
    return new Promise((resolve) => {
      this.#waiting.set(request, resolve);
      ask(request);
    });
  }

  settled(request: number, index: number): void {
    this.#take(request)?.({ ok: true, value: index });
  }

  unsettled(request: number, refusal: Refusal): void {
    this.#take(request)?.({ ok: false, refusal });
  }

  close(refusal: Refusal): void {
    for (const request of [...this.#waiting.keys()]) this.unsettled(request, refusal);
  }

  #take(request: number): ((outcome: Result<number>) => void) | undefined {
    const resolve = this.#waiting.get(request);
    this.#waiting.delete(request);
    return resolve;
  }
}
