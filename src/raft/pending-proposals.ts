/**
 * A leader's proposals that are in its log and not committed, in the order of the log. They bound what it accepts, and
 * when it loses its leadership they are those whose fate is not known.
 */
export class PendingProposals {
  #numbers: number[] = [];
  #indexes: number[] = [];
  #sizes: number[] = [];
  #head = 0;
  #bytes = 0;

  get size(): number {
    return this.#numbers.length - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(number: number, index: number, bytes: number): void {
    this.#numbers.push(number);
    this.#indexes.push(index);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
  }

  committed(upTo: number): void {
    while (this.#head < this.#indexes.length && (this.#indexes[this.#head] as number) <= upTo)
      this.#bytes -= this.#sizes[this.#head++] as number;
    if (this.#head >= 1024 && this.#head * 2 >= this.#indexes.length) this.#cutHoles();
  }

  /** The shell's numbers of all that is left. */
  numbers(): readonly number[] {
    return this.#numbers.slice(this.#head);
  }

  #cutHoles(): void {
    this.#numbers = this.#numbers.slice(this.#head);
    this.#indexes = this.#indexes.slice(this.#head);
    this.#sizes = this.#sizes.slice(this.#head);
    this.#head = 0;
  }
}
