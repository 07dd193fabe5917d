/** The state tree out of a store: it lives in memory, and LevelDB holds the values alone. */
import { textFromUtf8 } from '../base/bytes.ts';
import { codedError } from '../base/result.ts';
import type { Store } from '../store/store.ts';
import { rangeOf, STATE_RANGE } from './layout.ts';
import { StateTree, type TreeVersion } from './state-tree.ts';
import type { StateChange } from './state.ts';

/** Entries of the state that become one batch of the tree while it is rebuilt. */
const REBUILD_BATCH = 32_768;

/**
 * The tree over a state on disk, about 20 us a key. Whether it is the one that was meant, its root says.
 *
 * @param prefix what the keys of the state are under; left out: the committed state
 */
export async function loadStateTree(
  store: Pick<Store, 'entries'>,
  prefix: Uint8Array = STATE_RANGE.gte,
): Promise<{ readonly tree: StateTree; readonly version: TreeVersion }> {
  const tree = new StateTree();
  let version = tree.empty;
  let entries: StateChange[] = [];
  const flush = () => {
    const next = tree.update(version, entries);
    tree.retire(version);
    version = next;
    entries = [];
  };
  for await (const [key, value] of store.entries(rangeOf(prefix))) {
    entries.push({ key: keyText(key.subarray(prefix.length)), value });
    if (entries.length === REBUILD_BATCH) flush();
  }
  flush();
  return { tree, version };
}

function keyText(key: Uint8Array): string {
  try {
    return textFromUtf8(key);
  } catch (error) {
    throw codedError('store-corrupt', 'a key of the state is no text', {}, { cause: error });
  }
}
