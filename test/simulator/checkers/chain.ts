/**
 * One chain for all, and what it holds: every validator's committed blocks are the same at every height, each is sealed
 * by a certificate that commits it, executing them once more from genesis gives the state roots that they name, no
 * event is in it twice, and what each changed leaves every record whole.
 */
import type { Hash } from '../../../src/base/hash.ts';
import { blockIdOf, decodeHeader, type SealedBlock } from '../../../src/ledger/block.ts';
import { decodeCommitProof } from '../../../src/ledger/commit-proof.ts';
import { nodeEntryCodec } from '../../../src/ledger/record.ts';
import { Replay } from '../../../src/ledger/replay.ts';
import { NODE_KEY_PREFIX, type StateChange } from '../../../src/ledger/state.ts';
import type { SimulatedChain } from '../simulated-keys.ts';
import { ActionChecker } from './actions.ts';
import type { CertificateChecker } from './certificates.ts';
import { brokenInvariantOf } from './records.ts';
import type { Report } from './violation.ts';

export interface Committer {
  readonly id: number;
  /** A block of its own log. */
  readonly blockAt: (height: number) => SealedBlock | undefined;
}

const NAME = 'one chain';

export class ChainChecker {
  readonly #chain: SimulatedChain;
  readonly #certificates: CertificateChecker;
  readonly #report: Report;
  /** By height. */
  readonly #ids: Hash[];
  readonly #heights = new Map<Hash, number>();
  readonly #lastSeq = new Map<string, number>();
  readonly replay: Replay;
  /** Of the last block. */
  #stateRoot: Hash;
  readonly actions: ActionChecker;

  constructor(chain: SimulatedChain, certificates: CertificateChecker, report: Report) {
    this.#chain = chain;
    this.#certificates = certificates;
    this.#report = report;
    this.#ids = [chain.state.block.id];
    this.#stateRoot = chain.state.block.header.stateRoot;
    this.replay = new Replay({ genesis: chain.state, validatorsOf: () => chain.validators });
    this.actions = new ActionChecker(chain.validators.members.map(({ peerId }) => peerId));
  }

  /** Of the longest committed chain that anybody has shown. */
  get height(): number {
    return this.#ids.length - 1;
  }

  /** Of a committed event. */
  heightOf(event: Hash): number | undefined {
    return this.#heights.get(event);
  }

  idAt(height: number): Hash | undefined {
    return this.#ids[height];
  }

  committed(by: Committer, sealed: SealedBlock): void {
    const { block } = sealed;
    const { height } = block.header;
    // A process may have ended between the commit and the moment at which it told of it.
    while (this.#ids.length < height) {
      const missed = by.blockAt(this.#ids.length);
      if (missed === undefined) {
        return this.#violated('a log has every block below its head', { by: by.id, height: this.#ids.length });
      }
      this.#next(by, missed);
    }
    if (this.#ids.length === height) this.#next(by, sealed);
    else if (this.#ids[height] !== block.id) {
      this.#violated('all commit the same block at a height', {
        by: by.id,
        height,
        one: this.#ids[height]!,
        other: block.id,
      });
    }
  }

  /** @param by whose log it is of */
  checkSeal(by: number, { block, seal }: SealedBlock): void {
    const { height } = block.header;
    const proof = decodeCommitProof(seal.bytes);
    if (!proof.ok) return this.#violated('a seal decodes', { by, height });
    const { certificate, descendants } = proof.value;
    this.#certificates.checkQuorum(certificate, by);
    const { commit, round, parentRound } = certificate.vote;
    if (commit === null) return this.#violated('the certificate of a seal commits something', { by, height });
    // Depth 2: the certified block's parent; depth 3: its parent. Always over consecutive rounds.
    const depth = this.#chain.genesis.commitDepth;
    if (round !== parentRound + 1 || commit.round !== round - (depth - 1)) {
      this.#violated('blocks of consecutive rounds commit', { height, round, parentRound, committed: commit.round });
    }
    let expected = commit.blockId;
    for (const headerBytes of descendants) {
      const header = decodeHeader(headerBytes);
      if (!header.ok || blockIdOf(headerBytes) !== expected) {
        return this.#violated('the headers of a seal lead from the named block to the sealed one', { by, height });
      }
      expected = header.value.parentId;
    }
    if (expected !== block.id) {
      this.#violated('a seal names the block that it commits', { by, height, named: expected });
    }
  }

  #next(by: Committer, sealed: SealedBlock): void {
    const { block } = sealed;
    const { height, parentId, round } = block.header;
    const before = this.#ids[height - 1]!;
    if (parentId !== before) {
      return this.#violated('a committed block extends the one before', { by: by.id, height, parentId, before });
    }
    this.#ids.push(block.id);
    this.checkSeal(by.id, sealed);
    for (const { event, id } of block.events) {
      if (this.#heights.has(id)) this.#violated('an event is in the chain once', { event: id, height });
      if (event.seq <= (this.#lastSeq.get(event.peerId) ?? 0)) {
        this.#violated("a node's events are in the order of their numbers", { event: id, seq: event.seq });
      }
      this.#heights.set(id, height);
      this.#lastSeq.set(event.peerId, event.seq);
    }
    const executed = this.replay.step(sealed);
    if (!executed.ok) {
      this.#violated('executing the log again gives what it names', { height, round, because: executed.refusal.code });
      return;
    }
    const { stateRoot } = block.header;
    if ((stateRoot === this.#stateRoot) !== (executed.value.changes.length === 0)) {
      this.#violated('a state root changes with the state, and only with it', { height, round });
    }
    this.#stateRoot = stateRoot;
    this.#checkRecords(height, executed.value.changes);
    for (const broken of this.actions.check(block, executed.value.changes)) this.#violated(broken, { height });
  }

  #checkRecords(height: number, changes: readonly StateChange[]): void {
    for (const { key, value } of changes) {
      if (!key.startsWith(NODE_KEY_PREFIX) || value === undefined) continue;
      const broken = brokenInvariantOf(nodeEntryCodec.decodeOwn(value));
      if (broken !== null) this.#violated(broken, { height, key });
    }
  }

  #violated(message: string, details: Readonly<Record<string, string | number | null>>): void {
    this.#report({ checker: NAME, message, details: { chain: this.#chain.chainId, ...details } });
  }
}
