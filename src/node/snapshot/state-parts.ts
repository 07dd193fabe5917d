/** The state of a store in parts, for what is made of all of it and must not hold all of it in memory. */
import { textFromUtf8 } from '../../base/bytes.ts';
import { STATE_RANGE } from '../../ledger/layout.ts';
import type { StateChange } from '../../ledger/state.ts';
import type { Store } from '../../store/store.ts';

const ENTRIES_PER_PART = 1000;

export async function* stateInParts(store: Pick<Store, 'entries'>): AsyncGenerator<readonly StateChange[], void> {
  let part: StateChange[] = [];
  for await (const [key, value] of store.entries(STATE_RANGE)) {
    part.push({ key: textFromUtf8(key.subarray(1)), value });
    if (part.length < ENTRIES_PER_PART) continue;
    yield part;
    part = [];
  }
  yield part;
}
