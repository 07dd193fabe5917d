import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { toHex } from '../../src/base/bytes.ts';
import { unwrap } from '../../src/base/result.ts';
import type { SealedBlock } from '../../src/ledger/block.ts';
import { BlockLog, committedBlockOps } from '../../src/ledger/block-log.ts';
import { decodeSignedEvent, type WrittenEvent } from '../../src/ledger/event.ts';
import { formatGenesis } from '../../src/ledger/genesis.ts';
import { stateKey } from '../../src/ledger/layout.ts';
import { nodeKey } from '../../src/ledger/state.ts';
import { verifiedEvent, type VerifiedEvent } from '../../src/ledger/verified-event.ts';
import { loadConfig, type NodeConfig } from '../../src/node/config.ts';
import { identityKeyFromSecret } from '../../src/node/keys.ts';
import { ledgerDirectory } from '../../src/node/open-ledger.ts';
import type { LedgerReplayProgress } from '../../src/node/replay.ts';
import { signEvent } from '../../src/node/sign-event.ts';
import type { StoreOperation } from '../../src/store/store.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import { run } from '../cli/terminal.ts';
import { SealedChain } from '../ledger/chain.ts';
import { joinedFields } from '../ledger/nodes.ts';
import { temporaryDirectory } from './directory.ts';
import { replayOf } from './replaying.ts';

const KEYS = [1, 2, 3].map((byte) => identityKeyFromSecret('ed25519', new Uint8Array(32).fill(byte)));

function signedJoin(chain: SealedChain, node: number): VerifiedEvent {
  const key = KEYS[node] as (typeof KEYS)[number];
  const event = { ...joinedFields(key.peerId, 1), time: chain.now } as unknown as WrittenEvent;
  return verifiedEvent(unwrap(decodeSignedEvent(chain.chainId, signEvent(key, chain.chainId, event).bytes)), 'own-log');
}

interface Damage {
  /** Changes a block on its way to the disk. */
  readonly block?: (sealed: SealedBlock, chain: SealedChain) => SealedBlock;
  readonly afterwards?: readonly StoreOperation[];
  readonly unsignedJoin?: boolean;
  /** Blocks without events after those with joins. */
  readonly emptyBlocks?: number;
}

/** A data directory with three joins, as an observer keeps it. */
async function ledger(damage: Damage = {}): Promise<{ config: NodeConfig; directory: string; chain: SealedChain }> {
  const directory = await temporaryDirectory();
  const chain = new SealedChain();
  await writeFile(join(directory, 'genesis.json'), formatGenesis(chain.genesis));
  await writeFile(join(directory, 'config.json'), '{"genesis":"genesis.json","dataDirectory":"data"}');
  const { config } = await loadConfig({ file: 'config.json', environment: {}, flags: {}, directory });
  const store = await LevelStore.open(ledgerDirectory(join(directory, 'data')), { create: true });
  await BlockLog.create(store, { chainId: chain.chainId, validatorKey: null }, chain.state);
  const batches = [0, 1, 2].map((node) => [signedJoin(chain, node)]);
  for (const events of [...batches, ...Array.from({ length: damage.emptyBlocks ?? 0 }, () => [])]) {
    const { sealed, changes } = chain.commit(events);
    await store.batch(committedBlockOps(damage.block?.(sealed, chain) ?? sealed, changes), { sync: false });
  }
  if (damage.unsignedJoin) {
    const { sealed, changes } = chain.commit([chain.join(9)]);
    await store.batch(committedBlockOps(sealed, changes), { sync: false });
  }
  await store.batch(damage.afterwards ?? [], { sync: false });
  await store.close();
  return { config, directory, chain };
}

describe('replaying a ledger', () => {
  test('ends at the same root, state and projections', async () => {
    const { config, chain } = await ledger();
    const seen: LedgerReplayProgress[] = [];
    const report = await replayOf(config, { onProgress: (progress) => seen.push(progress) });
    expect(report).toMatchObject({
      chainId: chain.chainId,
      height: 3,
      events: 3,
      stateRoot: chain.machine.head.stateRoot,
      from: { kind: 'genesis', height: 0 },
      resumedAt: null,
      compared: { state: { entries: 5, equal: true, firstDifference: null } },
      verified: { signatures: true, seals: true },
    });
    expect(seen.at(-1)).toEqual({ height: 3, headHeight: 3, events: 3, fromHeight: 0 });
  });

  test('stops at a block whose seal is of another block', async () => {
    let first: SealedBlock | undefined;
    const { config } = await ledger({
      block: (sealed) => {
        first ??= sealed;
        return { ...sealed, seal: first.seal };
      },
    });
    await expect(replayOf(config)).rejects.toMatchObject({
      code: 'replay-seal-invalid',
      details: { height: 2 },
    });
    await expect(replayOf(config, { verifySeals: false })).resolves.toMatchObject({ height: 3 });
  });

  test('finds such a seal in a long log, whose seals are checked on threads', async () => {
    let before: SealedBlock | undefined;
    const { config } = await ledger({
      emptyBlocks: 260,
      block: (sealed) => {
        const { seal } = (sealed.block.header.height === 200 ? before : undefined) ?? sealed;
        before = sealed;
        return { ...sealed, seal };
      },
    });
    await expect(replayOf(config)).rejects.toMatchObject({
      code: 'replay-seal-invalid',
      details: { height: 200 },
    });
  });

  test('stops at an event that its node did not sign', async () => {
    const { config } = await ledger({ unsignedJoin: true });
    await expect(replayOf(config)).rejects.toMatchObject({
      code: 'replay-signature-invalid',
      details: { height: 4 },
    });
    await expect(replayOf(config, { verifySignatures: false })).resolves.toMatchObject({
      height: 4,
    });
  });

  test('finds a record that was changed on disk, and says so with an exit code of its own', async () => {
    const key = nodeKey(KEYS[1]?.peerId ?? '');
    const { chain, directory } = await ledger({
      afterwards: [{ kind: 'put', key: stateKey(key), value: Uint8Array.of(1) }],
    });
    const { exit, json } = await run(['replay', '--config', 'config.json', '--compare', '--json'], directory);
    expect(exit).toBe(6);
    const record = chain.machine.get(key) as Uint8Array;
    expect(json()).toMatchObject({
      compared: {
        state: {
          equal: false,
          firstDifference: {
            key,
            replayed: { bytes: record.length, hex: toHex(record) },
            kept: { bytes: 1, hex: '01' },
          },
        },
      },
    });
    const told = await run(['replay', '--config', 'config.json', '--compare'], directory);
    expect(told.code).toBe('replay-differs');
    expect(told.err).toContain('not what the log gives: state at');
    expect(told.out).toMatch(/^state +DIFFERENT$/m);
    expect(told.out).toContain(`the first difference of state, at ${key}`);
  });

  test('finds a record that is gone from the disk', async () => {
    const key = stateKey(nodeKey(KEYS[1]?.peerId ?? ''));
    const { config } = await ledger({ afterwards: [{ kind: 'delete', key }] });
    const report = await replayOf(config);
    expect(report.compared?.state).toMatchObject({
      equal: false,
      firstDifference: { key: nodeKey(KEYS[1]?.peerId ?? ''), kept: null },
    });
  });
});
