/**
 * The way of a node that has just joined from its snapshot to the head of the network. Its projections wait until then:
 * their rows are made from the snapshot in a thread afterwards, and what blocks changed is taken from the log. What servers
 * said of the head is a claim, so they do not wait for ever.
 */
const MAX_WAIT_MS = 60_000;

export class CatchingUp {
  readonly #head: number;
  readonly #onOver: () => void;
  #timer: NodeJS.Timeout | null;

  /** @param onOver called once, soon after the head was reached, or when it took too long */
  constructor(head: number, height: number, onOver: () => void, maxWaitMs = MAX_WAIT_MS) {
    this.#head = head;
    this.#onOver = onOver;
    this.#timer = height >= head ? null : setTimeout(() => this.#end(), maxWaitMs).unref();
  }

  get isUnderWay(): boolean {
    return this.#timer !== null;
  }

  reached(height: number): void {
    if (this.isUnderWay && height >= this.#head) this.#end();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #end(): void {
    this.stop();
    this.#onOver();
  }
}
