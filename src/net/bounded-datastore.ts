/**
 * What libp2p remembers (addresses of peers, DHT records) in memory, with a bound. Its own in-memory store has none,
 * and any peer may put records and providers into a DHT server. The least recently used entries go first.
 */
import { NotFoundError } from '@libp2p/interface';
import type { Libp2pInit } from 'libp2p';
import { LRUCache } from 'lru-cache';

type Datastore = NonNullable<Libp2pInit['datastore']>;
type Batch = ReturnType<Datastore['batch']>;
type Pair = Parameters<Datastore['putMany']>[0] extends Iterable<infer P> | AsyncIterable<infer P> ? P : never;
type Key = Pair['key'];
type Query = Parameters<Datastore['query']>[0];
type KeyQuery = Parameters<Datastore['queryKeys']>[0];

/** What an entry costs beside its value: the key, twice, and the cache's bookkeeping. */
const ENTRY_OVERHEAD_BYTES = 256;

export function boundedDatastore(maxBytes: number): Datastore {
  return new BoundedDatastore(maxBytes);
}

class BoundedDatastore implements Datastore {
  readonly #entries: LRUCache<string, Pair>;

  constructor(maxBytes: number) {
    this.#entries = new LRUCache<string, Pair>({
      maxSize: maxBytes,
      sizeCalculation: ({ value }) => value.length + ENTRY_OVERHEAD_BYTES,
    });
  }

  /** A value may be a part of what the network read in one go, and would keep all of that. */
  put(key: Key, value: Uint8Array): Key {
    this.#entries.set(key.toString(), { key, value: value.slice() });
    return key;
  }

  get(key: Key): Uint8Array {
    const entry = this.#entries.get(key.toString());
    if (entry === undefined) throw new NotFoundError(`no value for ${key.toString()}`);
    return entry.value;
  }

  has(key: Key): boolean {
    return this.#entries.has(key.toString());
  }

  delete(key: Key): void {
    this.#entries.delete(key.toString());
  }

  async *putMany(source: Iterable<Pair> | AsyncIterable<Pair>): AsyncGenerator<Key> {
    for await (const { key, value } of source) yield this.put(key, value);
  }

  async *getMany(source: Iterable<Key> | AsyncIterable<Key>): AsyncGenerator<Pair> {
    for await (const key of source) yield { key, value: this.get(key) };
  }

  async *deleteMany(source: Iterable<Key> | AsyncIterable<Key>): AsyncGenerator<Key> {
    for await (const key of source) {
      this.delete(key);
      yield key;
    }
  }

  batch(): Batch {
    const operations: (() => void)[] = [];
    return {
      put: (key, value) => void operations.push(() => void this.put(key, value)),
      delete: (key) => void operations.push(() => this.delete(key)),
      commit: () => {
        for (const operation of operations.splice(0)) operation();
      },
    };
  }

  *query(query: Query): Generator<Pair> {
    let pairs = [...this.#entries.values()];
    const { prefix, filters = [], orders = [], offset = 0, limit = Infinity } = query;
    if (prefix !== undefined) pairs = pairs.filter(({ key }) => key.toString().startsWith(prefix));
    for (const filter of filters) pairs = pairs.filter(filter);
    for (const order of orders) pairs.sort(order);
    yield* pairs.slice(offset, offset + limit);
  }

  *queryKeys(query: KeyQuery): Generator<Key> {
    const { filters = [], orders = [], offset = 0, limit = Infinity, ...rest } = query;
    let keys = [...this.query(rest)].map(({ key }) => key);
    for (const filter of filters) keys = keys.filter(filter);
    for (const order of orders) keys.sort(order);
    yield* keys.slice(offset, offset + limit);
  }
}
