/**
 * The ledger of a running node for another process of the same user, which cannot open the store itself: LevelDB admits
 * one process. Blocks of the log by heights, and the state and the projections as they were at one moment; in pages, each
 * of which is asked for, so that whoever reads slowly holds nothing up. Reading is done beside the main thread.
 */
import { codedError } from '../base/result.ts';
import { projectionKey, rangeOf } from '../ledger/layout.ts';
import { utf8 } from '../base/bytes.ts';
import type { KeyRange, PinnableStore, StoreView } from '../store/store.ts';
import { blocksIn } from './replay/directory-source.ts';
import { ledgerFacts, type LedgerFacts } from './replay/source.ts';

export type Entry = readonly [key: Uint8Array, value: Uint8Array];

export interface OpenedView {
  readonly view: number;
  readonly facts: LedgerFacts;
  /** Pointers and cursors of projections: what says which rows to read. */
  readonly signs: readonly Entry[];
}

export interface LedgerAccess {
  /** As it is now. */
  facts(): Promise<LedgerFacts>;
  /** Encoded sealed blocks of consecutive heights from `from` on, at least one of those up to `to`. */
  blocks(from: number, to: number): Promise<readonly Uint8Array[]>;
  /** Keeps what is there now until it is closed. @throws CodedError `views-busy` */
  open(): Promise<OpenedView>;
  /** The first entries of a range of a view; none: there are no more. @throws CodedError `view-unknown`, `views-busy` */
  rows(view: number, range: KeyRange): Promise<readonly Entry[]>;
  /** Closing what is not open does nothing. */
  close(view: number): Promise<void>;
}

/** What is pinned takes disk while the node writes. */
const MAX_VIEWS = 2;
/** One that nobody asks of for so long was left behind by a process that ended. */
const MAX_IDLE_MS = 60_000;
const PAGE_BYTES = 256 * 1024;
const MAX_PAGES_UNDER_WAY = 4;

interface Pinned {
  readonly store: StoreView;
  /** Null while it is being answered from for the first time. */
  idle: NodeJS.Timeout | null;
}

export class LedgerViews implements LedgerAccess {
  readonly #store: PinnableStore;
  readonly #maxIdleMs: number;
  readonly #views = new Map<number, Pinned>();
  #next = 1;
  #underWay = 0;

  constructor(store: PinnableStore, maxIdleMs = MAX_IDLE_MS) {
    this.#store = store;
    this.#maxIdleMs = maxIdleMs;
  }

  facts(): Promise<LedgerFacts> {
    return ledgerFacts(this.#store);
  }

  blocks(from: number, to: number): Promise<readonly Uint8Array[]> {
    return this.#page(blocksIn(this.#store, from, to), ({ length }) => length);
  }

  async open(): Promise<OpenedView> {
    if (this.#views.size >= MAX_VIEWS) throw busy(this.#views.size);
    const store = this.#store.pin();
    const view = this.#next++;
    const pinned: Pinned = { store, idle: null };
    this.#views.set(view, pinned);
    try {
      const signs: Entry[] = [];
      for (const kind of ['@', '#']) {
        for await (const entry of store.entries(rangeOf(projectionKey(utf8(kind))))) signs.push(entry);
      }
      return { view, facts: await ledgerFacts(store), signs };
    } finally {
      this.#waitFor(view, pinned);
    }
  }

  async rows(view: number, range: KeyRange): Promise<readonly Entry[]> {
    const pinned = this.#views.get(view);
    if (pinned === undefined) {
      throw codedError('view-unknown', 'the view of the ledger was closed: nobody asked of it for too long', { view });
    }
    if (pinned.idle !== null) clearTimeout(pinned.idle);
    try {
      return await this.#page(pinned.store.entries(range), ([key, value]) => key.length + value.length);
    } finally {
      this.#waitFor(view, pinned);
    }
  }

  async close(view: number): Promise<void> {
    const pinned = this.#views.get(view);
    if (pinned === undefined) return;
    this.#views.delete(view);
    if (pinned.idle !== null) clearTimeout(pinned.idle);
    await pinned.store.close();
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#views.keys()].map((view) => this.close(view)));
  }

  async #page<T>(items: AsyncIterable<T>, sizeOf: (item: T) => number): Promise<readonly T[]> {
    if (this.#underWay >= MAX_PAGES_UNDER_WAY) throw busy(this.#underWay);
    this.#underWay++;
    try {
      const page: T[] = [];
      let bytes = 0;
      for await (const item of items) {
        page.push(item);
        bytes += sizeOf(item);
        if (bytes >= PAGE_BYTES) break;
      }
      return page;
    } finally {
      this.#underWay--;
    }
  }

  /** Begins when what was asked for was answered; a view that was closed meanwhile is not waited for. */
  #waitFor(view: number, pinned: Pinned): void {
    if (this.#views.get(view) !== pinned) return;
    if (pinned.idle !== null) clearTimeout(pinned.idle);
    pinned.idle = setTimeout(() => void this.close(view), this.#maxIdleMs).unref();
  }
}

function busy(open: number): Error {
  return codedError('views-busy', 'other processes read the ledger of this node; try again when one is done', { open });
}
