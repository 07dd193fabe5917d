/** The commands that a recorder keeps verbatim, found again at a start: in its snapshot and in the log behind it. */
import { openRaft } from '../../src/node/raft/log-store.ts';
import type { SnapshotStore } from '../../src/node/raft/snapshot-store.ts';
import { ENTRY_TYPES, type Entry } from '../../src/raft/messages.ts';
import type { Store } from '../../src/store/store.ts';
import { parse, type RecorderMachine } from './recorder-machine.ts';

export async function rememberStored(machine: RecorderMachine, store: Store, snapshots: SnapshotStore): Promise<void> {
  const { applied, log, restoring, snapshot } = await openRaft(store);
  if (restoring !== null) return;
  if (snapshot !== null && (await snapshots.has(snapshot))) {
    const pieces: Uint8Array[] = [];
    for await (const piece of snapshots.read(snapshot)) pieces.push(piece);
    machine.remember(parse(new Uint8Array(Buffer.concat(pieces))).map(asEntry));
  }
  const behind: Entry[] = [];
  for (let index = Math.max(log.firstIndex, (snapshot?.lastIndex ?? 0) + 1); index <= applied.index; index++) {
    const entry = log.entry(index);
    if (entry !== undefined) behind.push(entry);
  }
  machine.remember(behind);
}

function asEntry({ data, index, term }: ReturnType<typeof parse>[number]): Entry {
  return { index, term, type: ENTRY_TYPES.command, data, extensions: null, appendedAt: undefined };
}
