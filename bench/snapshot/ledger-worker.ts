/** A thread that makes the ledger whose snapshot is measured, and ends. */
import { randomBytes } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { utf8 } from '../../src/base/bytes.ts';
import { sha256Hex } from '../../src/base/hash.ts';
import { unwrap } from '../../src/base/result.ts';
import { firstBlockOps, floorOps, identityOps, stateOps } from '../../src/ledger/block-log.ts';
import { makeBlock, type SealedBlock } from '../../src/ledger/block.ts';
import { encodeCommitProof } from '../../src/ledger/commit-proof.ts';
import { genesisState } from '../../src/ledger/genesis-state.ts';
import type { Genesis, GenesisValidator } from '../../src/ledger/genesis.ts';
import { stateKey } from '../../src/ledger/layout.ts';
import { DEFAULT_PARAMETERS } from '../../src/ledger/parameters.ts';
import { StateTree } from '../../src/ledger/state-tree.ts';
import { generateBlsKey, registrationOf } from '../../src/node/bls-key.ts';
import { genesisValidatorOf } from '../../src/node/genesis-file.ts';
import { ledgerDirectory } from '../../src/node/open-ledger.ts';
import { votePreimage } from '../../src/qc/ballot.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import type { StoreOperation } from '../../src/store/store.ts';
import { Population } from '../validators/population.ts';

export interface MadeLedger {
  readonly chainId: string;
  readonly genesis: Genesis;
}

const VALUE_BYTES = 300;
const ENTRIES_PER_BATCH = 4096;

const { dataDirectory, nodes } = workerData as { readonly dataDirectory: string; readonly nodes: number };
parentPort?.postMessage(await makeLedger(dataDirectory, nodes));

/** A state of so many entries and a sealed block over it. */
async function makeLedger(directory: string, entries: number): Promise<MadeLedger> {
  const keys = Array.from({ length: 4 }, generateBlsKey);
  const population = new Population(keys.length, 'ed25519');
  const validators = keys.map((key, index) => validatorOf(key, population.peerIds[index] as string));
  const timestamp = Math.floor(Date.now() / 1000);
  const genesis = {
    name: 'snapshot',
    timestamp,
    commitDepth: 2,
    parameters: DEFAULT_PARAMETERS,
    validators,
    records: [],
  } as Genesis;
  const first = genesisState(genesis);
  const store = await LevelStore.open(ledgerDirectory(directory), { create: true });
  const tree = new StateTree();
  let version = tree.update(tree.empty, first.changes);
  tree.retire(tree.empty);
  await store.batch(stateOps(first.changes), { sync: false });
  for (let from = 0; from < entries; from += ENTRIES_PER_BATCH) {
    const changes = Array.from({ length: Math.min(ENTRIES_PER_BATCH, entries - from) }, () => ({
      key: `bench/${randomBytes(26).toString('hex')}`,
      value: new Uint8Array(randomBytes(VALUE_BYTES)),
    }));
    const next = tree.update(version, changes);
    tree.retire(version);
    version = next;
    await store.batch(
      changes.map(({ key, value }): StoreOperation => ({ kind: 'put', key: stateKey(key), value })),
      { sync: false },
    );
  }
  const block = makeBlock(
    { ...first.block.header, round: 1, height: 1, parentId: first.block.id, stateRoot: version.root },
    [],
  );
  const sealed = sealedBy(genesis, keys, block, first.chainId);
  await store.batch(
    [...identityOps({ chainId: first.chainId, validatorKey: null }), ...floorOps(1), ...firstBlockOps(sealed)],
    { sync: true },
  );
  await store.close();
  return { chainId: first.chainId, genesis };
}

function validatorOf(key: Uint8Array, peerId: string): GenesisValidator {
  return unwrap(genesisValidatorOf(registrationOf(peerId, key, ['/ip4/127.0.0.1/tcp/4001'], nativeScheme)));
}

function sealedBy(
  genesis: Genesis,
  keys: readonly Uint8Array[],
  block: SealedBlock['block'],
  chainId: string,
): SealedBlock {
  const { header, id } = block;
  const order = genesis.validators.map(({ peerId }, index) => ({ peerId, key: keys[index] as Uint8Array }));
  order.sort((a, b) => (a.peerId < b.peerId ? -1 : 1));
  const { height, nextValidatorSet, round, stateRoot } = header;
  const commit = { height, round, blockId: id, stateRoot, nextValidatorSet };
  const vote = { round: round + 1, blockId: sha256Hex(utf8('child')), parentRound: round, parentId: id, commit };
  const preimage = votePreimage({ chainId, epoch: 0 }, vote);
  const signers = [0, 1, 2];
  const signature = unwrap(
    nativeScheme.aggregate(signers.map((signer) => nativeScheme.sign(order[signer]!.key, preimage))),
  );
  const bytes = encodeCommitProof({ certificate: { epoch: 0, vote, signers, signature }, descendants: [] });
  return { block, seal: { kind: 'hotstuff', bytes } };
}
