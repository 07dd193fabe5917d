/**
 * A map of what was used lately, of bounded size. Two maps, of which the older is let go when the newer is full: to forget
 * costs nothing, and what was asked for since the last time stays.
 */
export class RecentMap<K, V extends object | null> {
  readonly #half: number;
  #newer = new Map<K, V>();
  #older: ReadonlyMap<K, V> = new Map();

  /** @param max that are kept */
  constructor(max: number) {
    this.#half = Math.ceil(max / 2);
  }

  get(key: K): V | undefined {
    const newer = this.#newer.get(key);
    if (newer !== undefined) return newer;
    const older = this.#older.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  set(key: K, value: V): void {
    if (this.#newer.size >= this.#half) {
      this.#older = this.#newer;
      this.#newer = new Map();
    }
    this.#newer.set(key, value);
  }
}
