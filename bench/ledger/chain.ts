/**
 * A chain of blocks with true certificates, made by one process as fast as it can: the input of what replays or follows
 * it, which then is measured alone.
 */
import { assert } from '../../src/base/assert.ts';
import { sha256Hex } from '../../src/base/hash.ts';
import { unwrap } from '../../src/base/result.ts';
import { makeBlock, type Block } from '../../src/ledger/block.ts';
import { encodeCommitProof } from '../../src/ledger/commit-proof.ts';
import { decodeSignedEvent } from '../../src/ledger/event.ts';
import type { Genesis } from '../../src/ledger/genesis.ts';
import { machineAtGenesis, type GenesisState } from '../../src/ledger/genesis-state.ts';
import type { LedgerMachine } from '../../src/ledger/machine.ts';
import type { SealedBlock } from '../../src/ledger/block.ts';
import type { StateChange } from '../../src/ledger/state.ts';
import { verifiedEvent } from '../../src/ledger/verified-event.ts';
import { votePreimage, type VoteData } from '../../src/qc/ballot.ts';
import { certificateDigest, genesisCertificate, type QuorumCertificate } from '../../src/qc/certificate.ts';
import { runCollectJob } from '../../src/qc/collect.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { makeValidatorSet, type ValidatorSet } from '../../src/qc/validator-set.ts';

export interface MadeBlock {
  readonly sealed: SealedBlock;
  /** Of its parent, as the block's proposal carries it. */
  readonly justify: QuorumCertificate;
  readonly changes: readonly StateChange[];
}

const EPOCH = 0;

/**
 * One block of each batch of events (as batches carry them), all of which must apply. A round each, nobody fails: the
 * certificate of block n + 1 names block n as committed, so one more block, which is left out, ends the chain.
 *
 * @param blsKeys of the genesis's validators, in any order
 */
export function makeChain(
  genesis: Genesis,
  first: GenesisState,
  blsKeys: readonly Uint8Array[],
  batches: readonly (readonly Uint8Array[])[],
): readonly MadeBlock[] {
  return [...makeBlocks(genesis, first, blsKeys, batches)];
}

/** The block that ends a chain: certified, and not committed. */
export interface ChainEnd {
  readonly block: Block;
  /** Of its parent. */
  readonly justify: QuorumCertificate;
  /** Of the block itself. */
  readonly certificate: QuorumCertificate;
}

/** The same, of which no more than three blocks are in memory at a time. @returns what validators hold at its end */
export function* makeBlocks(
  genesis: Genesis,
  first: GenesisState,
  blsKeys: readonly Uint8Array[],
  batches: Iterable<readonly Uint8Array[]>,
): Generator<MadeBlock, ChainEnd> {
  const signers = new Signers(genesis, first.chainId, blsKeys);
  const state = new Map(first.changes.map(({ key, value }) => [key, value]));
  const machine = machineAtGenesis(first, { get: (key) => state.get(key) });
  const proposer = genesis.validators[0]!.peerId;
  const waiting: UnsealedBlock[] = [];
  let parent = first.block;
  let certificate: QuorumCertificate = genesisCertificate(EPOCH, first.block.id);
  const next = (batch: readonly Uint8Array[]): void => {
    const justify = certificate;
    const { block, changes } = extend(machine, signers.validators, parent, justify, proposer, batch);
    for (const { key, value } of changes) state.set(key, value);
    machine.settled(block.header.height);
    waiting.push({ block, justify, changes });
    certificate = signers.certify(block, parent);
    parent = block;
  };
  for (const batch of batches) {
    next(batch);
    // The certificate of the next block stands in the one after it.
    if (waiting.length === 3) yield sealedBy(waiting.shift()!, waiting[1]!.justify);
  }
  next([]);
  if (waiting.length === 3) yield sealedBy(waiting.shift()!, waiting[1]!.justify);
  if (waiting.length === 2) yield sealedBy(waiting.shift()!, certificate);
  const { block, justify } = waiting[0]!;
  return { block, justify, certificate };
}

type UnsealedBlock = Pick<MadeBlock, 'changes' | 'justify'> & { readonly block: Block };

function sealedBy({ block, ...made }: UnsealedBlock, certificate: QuorumCertificate): MadeBlock {
  const bytes = encodeCommitProof({ certificate, descendants: [] });
  return { sealed: { block, seal: { kind: 'hotstuff', bytes } }, ...made };
}

function extend(
  machine: LedgerMachine,
  validators: ValidatorSet,
  parent: Block,
  justify: QuorumCertificate,
  proposer: string,
  batch: readonly Uint8Array[],
): { readonly block: Block; readonly changes: readonly StateChange[] } {
  const { chainId } = machine;
  const height = parent.header.height + 1;
  const timestamp = Math.max(parent.header.timestamp, Math.floor(Date.now() / 1000));
  const events = batch.map((bytes) => verifiedEvent(unwrap(decodeSignedEvent(chainId, bytes)), 'signature-checked'));
  const context = { chainId, epoch: EPOCH, height, timestamp, validators };
  const execution = unwrap(machine.execute(machine.head, context, events));
  const block = makeBlock(
    {
      chainId,
      epoch: EPOCH,
      round: height,
      height,
      parentId: parent.id,
      justifyDigest: certificateDigest(justify),
      proposer,
      timestamp,
      stateRoot: execution.stateRoot,
      nextValidatorSet: null,
    },
    events,
  );
  return { block, changes: machine.commit(execution) };
}

/** All validators, who vote for every block. */
class Signers {
  readonly validators: ValidatorSet;
  readonly #chainId: string;
  readonly #keys: ReadonlyMap<string, Uint8Array>;

  constructor(genesis: Genesis, chainId: string, blsKeys: readonly Uint8Array[]) {
    this.validators = unwrap(makeValidatorSet(EPOCH, genesis.validators, nativeScheme));
    this.#chainId = chainId;
    this.#keys = new Map(blsKeys.map((key) => [digestOf(nativeScheme.publicKeyOf(key)), key]));
  }

  certify(block: Block, parent: Block): QuorumCertificate {
    const vote = voteFor(block, parent);
    const preimage = votePreimage({ chainId: this.#chainId, epoch: EPOCH }, vote);
    const ballots = this.validators.members.slice(0, this.validators.quorum).map(({ blsPublicKey }, signer) => {
      const key = this.#keys.get(digestOf(blsPublicKey));
      assert(key !== undefined, 'every validator has its key here', { signer });
      return { signer, signature: nativeScheme.sign(key, preimage) };
    });
    const job = { kind: 'votes', chainId: this.#chainId, epoch: EPOCH, vote, ballots } as const;
    const outcome = runCollectJob(job, this.validators, nativeScheme);
    assert(outcome.kind === 'votes' && outcome.certificate !== null, 'good votes make a certificate');
    return outcome.certificate;
  }
}

function digestOf(publicKey: Uint8Array): string {
  return sha256Hex(publicKey);
}

function voteFor({ header, id }: Block, parent: Block): VoteData {
  const { height, round, stateRoot } = parent.header;
  return {
    round: header.round,
    blockId: id,
    parentRound: round,
    parentId: parent.id,
    commit: height === 0 ? null : { height, round, blockId: parent.id, stateRoot, nextValidatorSet: null },
  };
}
