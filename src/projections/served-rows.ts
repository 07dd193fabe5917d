/**
 * The rows of a projection that serve reads, and who reads from them. A read holds the generation that it began on: when
 * another takes its place, the old rows stay until the last such read has ended, and only then are removed.
 */
import { assert } from '../base/assert.ts';
import type { Rows } from './rows.ts';

export class ServedRows {
  readonly #remove: (rows: Rows) => void;
  readonly #holders = new Map<Rows, number>();
  /** Replaced, and still read from. */
  readonly #replaced = new Set<Rows>();
  #current: Rows;

  /** @param remove is told of rows that nobody will read again, and returns at once */
  constructor(current: Rows, remove: (rows: Rows) => void) {
    this.#current = current;
    this.#remove = remove;
  }

  get current(): Rows {
    return this.#current;
  }

  /** Reads that have not ended, of whatever generation. */
  get holders(): number {
    let all = 0;
    for (const count of this.#holders.values()) all += count;
    return all;
  }

  /** All that `use` reads comes of one generation, whatever takes its place meanwhile. */
  async read<T>(use: (rows: Rows) => Promise<T>): Promise<T> {
    const rows = this.#current;
    this.#holders.set(rows, (this.#holders.get(rows) ?? 0) + 1);
    try {
      return await use(rows);
    } finally {
      this.#release(rows);
    }
  }

  /** Reads that begin from now on are of these rows. */
  replace(rows: Rows): void {
    const old = this.#current;
    assert(old.generation !== rows.generation, 'rows are replaced by others', { generation: rows.generation });
    this.#current = rows;
    if (this.#holders.has(old)) this.#replaced.add(old);
    else this.#remove(old);
  }

  #release(rows: Rows): void {
    const left = (this.#holders.get(rows) ?? 0) - 1;
    assert(left >= 0, 'who releases rows held them', { generation: rows.generation });
    if (left > 0) {
      this.#holders.set(rows, left);
      return;
    }
    this.#holders.delete(rows);
    if (this.#replaced.delete(rows)) this.#remove(rows);
  }
}
