/** A chain of blocks with true certificates, for tests: four validators with known keys, events of good form. */
import { unwrap } from '../../src/base/result.ts';
import { sha256Hex } from '../../src/base/hash.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { makeBlock, type Block, type SealedBlock } from '../../src/ledger/block.ts';
import { encodeCommitProof } from '../../src/ledger/commit-proof.ts';
import { signedEventFromJson } from '../../src/ledger/event.ts';
import { genesisState, machineAtGenesis, type GenesisState } from '../../src/ledger/genesis-state.ts';
import type { Genesis, GenesisValidator } from '../../src/ledger/genesis.ts';
import type { LedgerMachine } from '../../src/ledger/machine.ts';
import { DEFAULT_PARAMETERS } from '../../src/ledger/parameters.ts';
import type { NodeRecord } from '../../src/ledger/record.ts';
import type { StateChange, StateReader } from '../../src/ledger/state.ts';
import type { BlockContext } from '../../src/ledger/transition.ts';
import { verifiedEvent, type VerifiedEvent } from '../../src/ledger/verified-event.ts';
import { headStatementPreimage, possessionPreimage, votePreimage, type CommitInfo } from '../../src/qc/ballot.ts';
import type { QuorumCertificate } from '../../src/qc/certificate.ts';
import type { HeadStatement } from '../../src/qc/head-statement.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { makeValidatorSet, type ValidatorSet } from '../../src/qc/validator-set.ts';
import { secretKey } from '../qc/validators.ts';
import { joinedFields, peerOf, START, submissionOf, type EventFields } from './nodes.ts';

export interface CommittedStep {
  readonly sealed: SealedBlock;
  readonly changes: readonly StateChange[];
}

export interface ChainOptions {
  readonly validators?: number;
  readonly records?: readonly NodeRecord[];
  readonly eventSchema?: number;
}

/** The validator with this number; its BLS key is `secretKey(number)`. */
export function genesisValidator(number: number): GenesisValidator {
  const peerId = peerOf(1000 + number);
  const blsPublicKey = nativeScheme.publicKeyOf(secretKey(number));
  const proofOfPossession = nativeScheme.sign(secretKey(number), possessionPreimage(peerId, blsPublicKey));
  return { peerId, blsPublicKey, proofOfPossession, multiaddrs: [`/ip4/203.0.113.${number + 1}/tcp/4001`] };
}

export function genesisOf({ eventSchema = 1, records = [], validators = 4 }: ChainOptions = {}): Genesis {
  return {
    name: 'test',
    timestamp: START,
    commitDepth: 2,
    parameters: { ...DEFAULT_PARAMETERS, eventSchema },
    validators: Array.from({ length: validators }, (_, number) => genesisValidator(number)),
    records,
  };
}

export class SealedChain {
  readonly genesis: Genesis;
  readonly state: GenesisState;
  readonly chainId: string;
  readonly validators: ValidatorSet;
  readonly machine: LedgerMachine;
  readonly backing = new MapReader();
  readonly steps: CommittedStep[] = [];
  now = START;
  #parent: Block;

  constructor(options: ChainOptions = {}) {
    this.genesis = genesisOf(options);
    this.state = genesisState(this.genesis);
    this.chainId = this.state.chainId;
    this.validators = unwrap(makeValidatorSet(0, this.genesis.validators, nativeScheme));
    this.backing.apply(this.state.changes);
    this.machine = machineAtGenesis(this.state, this.backing);
    this.#parent = this.state.block;
  }

  get head(): Block {
    return this.#parent;
  }

  sealedAt(height: number): SealedBlock {
    const sealed = height === 0 ? this.state.sealed : this.steps[height - 1]?.sealed;
    if (sealed === undefined) throw new TypeError(`no block at height ${height}`);
    return sealed;
  }

  context(height = this.#parent.header.height + 1): BlockContext {
    return { chainId: this.chainId, epoch: 0, height, timestamp: this.now, validators: this.validators };
  }

  event(fields: EventFields): VerifiedEvent {
    const submission = submissionOf({ time: this.now, ...fields });
    return verifiedEvent(unwrap(signedEventFromJson(this.chainId, submission)), 'signature-checked');
  }

  join(node: number, more: Readonly<Record<string, unknown>> = {}): VerifiedEvent {
    return this.event(joinedFields(peerOf(node), 1, more));
  }

  /** A block on the head whose events all apply; not committed. */
  blockOf(events: readonly VerifiedEvent[], roundsSkipped = 0): Block {
    const execution = unwrap(this.machine.execute(this.machine.head, this.context(), events));
    const { stateRoot } = execution;
    this.machine.discard(execution);
    const { header, id } = this.#parent;
    const round = header.round + 1 + roundsSkipped;
    const proposer = this.validators.member(round % this.validators.n).peerId;
    return makeBlock(
      {
        chainId: this.chainId,
        epoch: 0,
        round,
        height: header.height + 1,
        parentId: id,
        justifyDigest: sha256Hex(utf8(`certificate of round ${header.round}`)),
        proposer,
        timestamp: this.now,
        stateRoot,
        nextValidatorSet: null,
      },
      events,
    );
  }

  /** Commits a block with these events, sealed by a certificate that names it. */
  commit(events: readonly VerifiedEvent[] = []): CommittedStep {
    const block = this.blockOf(events);
    const execution = unwrap(this.machine.execute(this.machine.head, this.context(), events));
    const changes = this.machine.commit(execution);
    this.backing.apply(changes);
    this.machine.settled(block.header.height);
    this.#parent = block;
    const step = { sealed: { block, seal: this.seal(block) }, changes };
    this.steps.push(step);
    return step;
  }

  seal(block: Block): SealedBlock['seal'] {
    const bytes = encodeCommitProof({ certificate: this.certificateNaming(block), descendants: [] });
    return { kind: 'hotstuff', bytes };
  }

  /** A certificate whose commit info names the block. */
  certificateNaming(
    { header, id }: Pick<Block, 'header' | 'id'>,
    signers: readonly number[] = [0, 1, 2],
  ): QuorumCertificate {
    const { height, nextValidatorSet, round, stateRoot } = header;
    const commit: CommitInfo = { height, round, blockId: id, stateRoot, nextValidatorSet };
    const blockId = sha256Hex(utf8(`child of ${id}`));
    const vote = { round: round + 1, blockId, parentRound: round, parentId: id, commit };
    const preimage = votePreimage({ chainId: this.chainId, epoch: header.epoch }, vote);
    const signatures = signers.map((signer) => nativeScheme.sign(this.secretKeyOf(signer), preimage));
    return { epoch: header.epoch, vote, signers, signature: unwrap(nativeScheme.aggregate(signatures)) };
  }

  headStatement(
    signer: number,
    nowMs: number,
    { header, id }: Pick<Block, 'header' | 'id'> = this.head,
  ): HeadStatement {
    const data = { height: header.height, blockId: id, stateRoot: header.stateRoot, nowMs };
    const preimage = headStatementPreimage({ chainId: this.chainId, epoch: header.epoch }, data);
    return { ...data, epoch: header.epoch, signer, signature: nativeScheme.sign(this.secretKeyOf(signer), preimage) };
  }

  /** Validators are sorted by peer id, their keys are numbered as they were made. */
  secretKeyOf(signer: number): Uint8Array {
    const { peerId } = this.validators.member(signer);
    return secretKey(this.genesis.validators.findIndex((validator) => validator.peerId === peerId));
  }
}

export class MapReader implements StateReader {
  readonly entries = new Map<string, Uint8Array>();

  get(key: string): Uint8Array | undefined {
    return this.entries.get(key);
  }

  apply(changes: readonly StateChange[]): void {
    for (const { key, value } of changes) {
      if (value === undefined) this.entries.delete(key);
      else this.entries.set(key, value);
    }
  }
}
