/**
 * What must hold whatever happens, checked on everything that leaves a node of the driver: one chain for all, one vote a
 * round and validator, no vote after a timeout, and nothing sent whose record is not on disk.
 */
import { assert } from '../../src/base/assert.ts';
import { toHex } from '../../src/base/bytes.ts';
import type { Hash } from '../../src/base/hash.ts';
import { unwrap } from '../../src/base/result.ts';
import type { ValidatorIndex } from '../../src/consensus/engine.ts';
import type { HotstuffMessage } from '../../src/hotstuff/messages.ts';
import { decodeSafetyRecord } from '../../src/hotstuff/safety-record.ts';
import { encodeMessage } from '../../src/hotstuff/wire.ts';
import type { SealedBlock } from '../../src/ledger/block.ts';
import { decodeCommitProof, verifyCommitProof } from '../../src/ledger/commit-proof.ts';
import type { TestChain } from './chain.ts';
import type { TestDisk } from './test-disk.ts';

export class Watch {
  readonly #chain: TestChain;
  /** By height. */
  readonly committedIds = new Map<number, Hash>();
  /** The one ballot of each validator, kind and round, encoded. */
  readonly #ballots = new Map<string, string>();
  readonly #lastTimeout = new Map<ValidatorIndex, number>();
  /** How often each validator sent a ballot of a kind and round. */
  readonly sent = new Map<string, number>();

  constructor(chain: TestChain) {
    this.#chain = chain;
  }

  committed(by: ValidatorIndex, { block, seal }: SealedBlock): void {
    const { height } = block.header;
    const known = this.committedIds.get(height);
    assert(known === undefined || known === block.id, 'all validators commit the same block at a height', {
      by,
      height,
    });
    this.committedIds.set(height, block.id);
    const verified = verifyCommitProof(unwrap(decodeCommitProof(seal.bytes)), block, this.#chain);
    assert(verified.ok, 'a committed block has a seal that verifies', { by, height });
  }

  cast(by: ValidatorIndex, message: HotstuffMessage, disk: TestDisk): void {
    const record = disk.safety === null ? null : unwrap(decodeSafetyRecord(disk.safety));
    assert(record !== null, 'who signs has a safety record', { by });
    if (message.kind === 'vote') this.#vote(by, message, record.lastVotedRound, disk);
    if (message.kind === 'timeout') {
      const { round } = message.timeout;
      assert(record.lastTimeout?.timeout.round === round, 'a timeout is on disk before it is sent', { by, round });
      this.#lastTimeout.set(by, Math.max(round, this.#lastTimeout.get(by) ?? 0));
      this.#once(by, 'timeout', round, message);
    }
    if (message.kind === 'proposal') {
      const { round } = message.block.header;
      assert(record.lastVotedRound >= round, 'a proposal is on disk before it is sent', { by, round });
      this.#once(by, 'proposal', round, message);
    }
  }

  #vote(by: ValidatorIndex, message: HotstuffMessage & { kind: 'vote' }, lastVotedRound: number, disk: TestDisk): void {
    const { round, blockId } = message.vote;
    assert(lastVotedRound >= round, 'a vote is on disk before it is sent', { by, round });
    const isNew = !this.#ballots.has(`${by} vote ${round}`);
    assert(!isNew || disk.uncommitted.has(blockId), 'a block is on disk before its vote is sent', { by, round });
    const gaveUp = this.#lastTimeout.get(by) ?? 0;
    assert(!isNew || round > gaveUp, 'no vote follows a timeout in its round', { by, round, gaveUp });
    this.#once(by, 'vote', round, message);
  }

  #once(by: ValidatorIndex, kind: string, round: number, message: HotstuffMessage): void {
    const key = `${by} ${kind} ${round}`;
    const bytes = toHex(encodeMessage(message));
    assert((this.#ballots.get(key) ?? bytes) === bytes, 'a validator sends one ballot of a kind and round', { key });
    this.#ballots.set(key, bytes);
    this.sent.set(key, (this.sent.get(key) ?? 0) + 1);
  }
}
