/**
 * One Raft server of ours as a process, with the recorder as its machine and the flags and the admin port of the Go
 * server: `node test/interop/our-server.ts -id=n1 -raft=HOST:PORT -http=127.0.0.1:PORT -dir=DIR ...`
 */
import { join } from 'node:path';
import { bootstrap } from '../../src/node/raft/open-server.ts';
import { openRaft } from '../../src/node/raft/log-store.ts';
import { startRaftServer, type RaftServer } from '../../src/node/raft/raft-server.ts';
import { DEFAULT_SHELL_LIMITS, DEFAULT_SNAPSHOT_POLICY } from '../../src/node/raft/server-options.ts';
import { SnapshotFiles } from '../../src/node/raft/snapshot-files.ts';
import type { SnapshotStore } from '../../src/node/raft/snapshot-store.ts';
import { DEFAULT_LIMITS } from '../../src/raft/contract.ts';
import { ENTRY_TYPES, type Entry } from '../../src/raft/messages.ts';
import { configurationCodec } from '../../src/raft/wire/configuration-codec.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import type { Store } from '../../src/store/store.ts';
import { MemorySnapshots } from '../node/raft/memory-snapshots.ts';
import { MemoryStore } from '../store/memory-store.ts';
import { refusalCounter, serveAdmin } from './our-admin.ts';
import { parseFlags, type OurFlags } from './our-flags.ts';
import { ourLinks } from './our-links.ts';
import { parse, RecorderMachine } from './recorder-machine.ts';
import { StallingStore } from './stalling-store.ts';

const MAX_SNAPSHOT_BYTES = 1 << 30;

// The leash: it ends with whoever started this process, however that dies.
process.stdin.resume().once('end', () => process.exit(0));
await run(parseFlags(process.argv.slice(2)));

async function run(flags: OurFlags): Promise<void> {
  const { address, id, protocol, timings } = flags;
  const { snapshots, store } = await openDisk(flags);
  if (flags.bootstrap !== null) {
    const servers = flags.bootstrap.map((server) => ({ ...server, suffrage: 'voter' as const }));
    await bootstrap(store, configurationCodec, { servers });
  }
  const machine = new RecorderMachine(store, flags.keep);
  if (flags.keep > 0) machine.remember(await appliedBefore(store, snapshots));
  const refusals = refusalCounter();
  let server: RaftServer<number> | undefined = undefined;
  const self = { id, address };
  const status = (): ReturnType<RaftServer<number>['status']> | undefined => server?.status();
  server = await startRaftServer<number>({
    self,
    protocolVersion: protocol,
    timings,
    limits: { ...DEFAULT_LIMITS, trailingEntries: flags.trailing, maxAppendEntries: flags.maxAppend },
    shellLimits: DEFAULT_SHELL_LIMITS,
    snapshotPolicy: { ...DEFAULT_SNAPSHOT_POLICY, threshold: flags.snapshotThreshold },
    seed: Math.floor(Math.random() * 2 ** 32),
    codec: configurationCodec,
    store,
    snapshots,
    machine,
    openLinks: ourLinks({ self, protocolVersion: protocol, listed: flags.listed, status, refused: refusals.note }),
    nowMs: () => performance.now(),
    outlets: {
      leaderChanged: (leader, term, isSelf) => {
        console.log(`term ${term}: ${isSelf ? 'this server leads' : `${leader?.id ?? 'nobody'} leads`}`);
      },
      configurationChanged: ({ index, configuration }, isCommitted) => {
        const servers = configuration.servers.map((server) => `${server.id} (${server.suffrage})`).join(', ');
        console.log(`configuration ${index}${isCommitted ? ', committed' : ''}: ${servers}`);
      },
      refused: (_from, refusal) => refusals.note(refusal),
      snapshotFailed: (error) => console.log('no snapshot', error),
      fatal: (error) => {
        console.error('stopped', error);
        process.exit(1);
      },
    },
  });
  await serveAdmin(flags.adminPort, { server, machine, store, refusals: refusals.counts });
}

async function openDisk({
  directory,
  store: kind,
}: OurFlags): Promise<{ store: StallingStore; snapshots: SnapshotStore }> {
  if (kind === 'inmem') return { store: new StallingStore(new MemoryStore()), snapshots: new MemorySnapshots() };
  const store = await LevelStore.open(join(directory, 'ledger'), { create: true });
  const folder = join(directory, 'snapshots');
  const snapshots = await SnapshotFiles.open({ folder, maxBytes: MAX_SNAPSHOT_BYTES, reserveBytes: 0 });
  return { store: new StallingStore(store), snapshots };
}

/** The commands that the machine applied in its earlier lives: of the newest snapshot, and of the log behind it. */
async function appliedBefore(store: Store, snapshots: SnapshotStore): Promise<readonly Entry[]> {
  const { applied, log, snapshot } = await openRaft(store);
  const entries: Entry[] = [];
  if (snapshot !== null) {
    const pieces: Uint8Array[] = [];
    for await (const piece of snapshots.read(snapshot)) pieces.push(piece);
    const commands = { type: ENTRY_TYPES.command, extensions: null, appendedAt: undefined } as const;
    entries.push(...parse(Uint8Array.from(Buffer.concat(pieces))).map((recorded) => ({ ...recorded, ...commands })));
  }
  for (let index = (snapshot?.lastIndex ?? 0) + 1; index <= applied.index; index++) {
    const entry = log.entry(index);
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}
