/** What a running node answers about heights whose blocks it dropped, though their states are still in memory. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { fromBase64 } from '../../../src/base/base64.ts';
import { unwrap } from '../../../src/base/result.ts';
import { formatGenesis } from '../../../src/ledger/genesis.ts';
import { trustGenesis } from '../../../src/ledger/trusted-chain.ts';
import { verifyRead } from '../../../src/ledger/verified-read.ts';
import { LedgerReads } from '../../../src/node/projections/ledger-reads.ts';
import { PastThread } from '../../../src/node/projections/past-thread.ts';
import { prune } from '../../../src/node/snapshot/pruning.ts';
import { nativeScheme } from '../../../src/qc/scheme-native.ts';
import { SealedChain } from '../../ledger/chain.ts';
import { peerOf } from '../../ledger/nodes.ts';
import { followingLedger } from '../opened.ts';

test('a height of late is answered while its block is there, and refused as pruned once it was dropped', async () => {
  const chain = new SealedChain();
  const { commit, directory, ledger } = await followingLedger(chain);
  for (let node = 1; node <= 6; node++) await commit([chain.join(node)]);
  const genesisFile = join(directory, 'genesis.json');
  await writeFile(genesisFile, formatGenesis(chain.genesis));
  const { log, store } = ledger;
  const past = new PastThread({ dataDirectory: directory, genesisFile, identity: log.identity });
  onTestFinished(() => past.close());
  const reads = new LedgerReads({ ledger: () => ledger, projections: () => null, past, nowMs: Date.now });
  expect((await reads.at(peerOf(1), 2)).ok).toBe(true);
  const policy = { kind: 'keepBlocks', blocks: 3 } as const;
  const whole = { store, log, snapshotHeight: 6, projectedHeight: () => 6, nowSeconds: 0 };
  expect(await prune({ ...whole, policy, pause: () => Promise.resolve() })).toBe(4);

  const refusal = { code: 'blocks-pruned', details: { fromHeight: 2, oldest: 4, head: 6 } };
  expect(await reads.at(peerOf(1), 2)).toMatchObject({ ok: false, refusal });
  const events = { what: 'events', format: 'jsonl', from: 2, to: null } as const;
  await expect(reads.export(events)).rejects.toMatchObject(refusal);
  const trusted = unwrap(trustGenesis(chain.genesis, nativeScheme));
  const { answer } = unwrap(await reads.at(peerOf(1), 4));
  const options = { scheme: nativeScheme, peerId: peerOf(1), nowMs: Date.now() };
  expect(unwrap(verifyRead(fromBase64(answer) as Uint8Array, trusted, options)).height).toBe(4);
});
