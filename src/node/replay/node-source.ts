/** The ledger of a running node, over its control socket. A page is fetched while the one before is worked on. */
import { fromHex, toHex } from '../../base/bytes.ts';
import type { KeyRange } from '../../store/store.ts';
import type { ControlClient } from '../control-client.ts';
import type { Entry } from '../ledger-views.ts';
import type { LedgerSource, PinnedLedger } from './source.ts';

export function nodeSource(control: ControlClient): LedgerSource {
  return {
    kind: 'running node',
    facts: () => control.ledgerFacts(),
    blocks: (from, to) => blocksOf(control, from, to),
    pin: () => pin(control),
    // It rebuilds beside what it serves, and swaps when it has caught up: rows of another process would be behind by then.
    replaceRows: async ({ name }) => {
      await control.rebuild([name]);
      return false;
    },
    close: () => Promise.resolve(),
  };
}

async function* blocksOf(control: ControlClient, from: number, to: number): AsyncGenerator<Uint8Array, void> {
  let height = from;
  const pages = ahead(
    () => control.ledgerBlocks(height, to),
    (page) => {
      height += page.length;
      return height <= to && page.length > 0;
    },
  );
  for await (const page of pages) yield* page;
}

async function pin(control: ControlClient): Promise<PinnedLedger> {
  const { facts, signs, view } = await control.openLedgerView();
  const values = new Map(signs);
  return {
    facts,
    get: (key) => fromHex(values.get(toHex(key)) ?? '-'),
    entries: (range) => entriesOf(control, view, range),
    close: () => control.closeLedgerView(view),
  };
}

async function* entriesOf(control: ControlClient, view: number, range: KeyRange): AsyncGenerator<Entry, void> {
  const { gt, gte, limit = Infinity, lt, lte } = range;
  let bounds: KeyRange = defined({ gt, gte, lt, lte });
  let left = limit;
  const pages = ahead(
    () => control.ledgerRows(view, bounds),
    (page) => {
      const last = page.at(-1);
      if (last !== undefined) bounds = defined({ gt: last[0], lt, lte });
      return last !== undefined;
    },
  );
  for await (const page of pages) {
    for (const entry of page) {
      if (left-- <= 0) return;
      yield entry;
    }
  }
}

/** @param more says after each page whether to ask for another */
async function* ahead<P>(fetch: () => Promise<P>, more: (page: P) => boolean): AsyncGenerator<P, void> {
  let next: Promise<P> | null = fetch();
  while (next !== null) {
    const page: P = await next;
    next = more(page) ? fetch() : null;
    // Its failure is seen when it is its turn, or by nobody where no more is wanted.
    next?.catch(() => undefined);
    yield page;
  }
}

function defined(bounds: { readonly [K in keyof KeyRange]: KeyRange[K] | undefined }): KeyRange {
  return Object.fromEntries(Object.entries(bounds).filter(([, bound]) => bound !== undefined));
}
