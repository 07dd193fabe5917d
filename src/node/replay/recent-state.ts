/** The state on disk with what was read and written lately kept in memory: LevelDB's synchronous get takes 13 us. */
import { stateKey } from '../../ledger/layout.ts';
import type { StateChange, StateReader } from '../../ledger/state.ts';
import type { Store } from '../../store/store.ts';

/** Twice as many are kept at most: of records, about 100 MB. */
const MAX_RECENT = 131_072;

export class RecentState implements StateReader {
  readonly #store: Pick<Store, 'get'>;
  /** When it is full it becomes the older one, and the older one goes. */
  #recent = new Map<string, Uint8Array | undefined>();
  #older = new Map<string, Uint8Array | undefined>();

  constructor(store: Pick<Store, 'get'>) {
    this.#store = store;
  }

  get(key: string): Uint8Array | undefined {
    if (this.#recent.has(key)) return this.#recent.get(key);
    const value = this.#older.has(key) ? this.#older.get(key) : this.#store.get(stateKey(key));
    this.#keep(key, value);
    return value;
  }

  /** What is on its way to the store. */
  onItsWay(changes: readonly StateChange[]): void {
    for (const { key, value } of changes) this.#keep(key, value);
  }

  #keep(key: string, value: Uint8Array | undefined): void {
    this.#recent.set(key, value);
    if (this.#recent.size < MAX_RECENT) return;
    this.#older = this.#recent;
    this.#recent = new Map();
  }
}
