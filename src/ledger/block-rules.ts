/**
 * What makes a block valid besides its justification, which is its engine's rule. Nothing here reads a clock except
 * `checkVotingTime`, which is asked only before a vote: synchronisation and replay must accept what a quorum accepted.
 */
import { ok, refuse, type Result } from '../base/result.ts';
import type { Hash } from '../base/hash.ts';
import { encodeBlock, MAX_BLOCK_BYTES, MAX_BLOCK_EVENTS, type Block, type BlockHeader } from './block.ts';

/** A voter tolerates a leader's clock this far ahead of its own. */
export const MAX_CLOCK_LEAD_SECONDS = 5;
/** And this far behind, for a block that holds events. */
export const MAX_CLOCK_LAG_SECONDS = 60;

/** What a block's validity knows of its parent. */
export interface ParentBlock {
  readonly id: Hash;
  readonly epoch: number;
  readonly round: number;
  readonly height: number;
  readonly timestamp: number;
}

/** The bounds of a block that was not decoded from bytes: a proposer's own. Refusals: `block-too-large`. */
export function checkBlockSize(block: Block): Result<void> {
  const size = encodeBlock(block).length;
  if (block.events.length > MAX_BLOCK_EVENTS || size > MAX_BLOCK_BYTES) {
    return refuse('block-too-large', 'the block holds more than a block may', {
      events: block.events.length,
      maxEvents: MAX_BLOCK_EVENTS,
      bytes: size,
      maxBytes: MAX_BLOCK_BYTES,
    });
  }
  return ok(undefined);
}

/**
 * Refusals: `wrong-parent`, `wrong-epoch`, `wrong-height`, `round-not-above-parent`, `timestamp-before-parent`.
 * `wrong-epoch` where the parent's epoch has not ended; epochs begin with the certificate that ends one.
 */
export function checkAgainstParent(header: BlockHeader, parent: ParentBlock): Result<void> {
  const { height } = header;
  if (header.parentId !== parent.id) {
    return refuse('wrong-parent', 'the block names another parent', {
      height,
      named: header.parentId,
      parent: parent.id,
    });
  }
  if (header.epoch !== parent.epoch) {
    return refuse('wrong-epoch', "the block is not of its parent's epoch", {
      epoch: header.epoch,
      parent: parent.epoch,
    });
  }
  if (header.round <= parent.round) {
    return refuse('round-not-above-parent', "the block's round is not above its parent's", {
      round: header.round,
      parent: parent.round,
    });
  }
  return checkSuccession(header, parent);
}

type Position = Pick<ParentBlock, 'height' | 'timestamp'>;

/** Refusals: `wrong-height`, `timestamp-before-parent`. */
export function checkSuccession(block: Position, parent: Position): Result<void> {
  if (block.height !== parent.height + 1) {
    return refuse('wrong-height', "the block's height is not its parent's plus one", {
      height: block.height,
      parent: parent.height,
    });
  }
  if (block.timestamp < parent.timestamp) {
    return refuse('timestamp-before-parent', "the block's time is before its parent's", {
      timestamp: block.timestamp,
      parent: parent.timestamp,
    });
  }
  return ok(undefined);
}

/** Refusals: `state-root-mismatch`: this program computes another result, and must not vote for the block. */
export function checkStateRoot(header: BlockHeader, executed: { readonly stateRoot: Hash }): Result<void> {
  return header.stateRoot === executed.stateRoot
    ? ok(undefined)
    : refuse('state-root-mismatch', 'executing the block gives another state root than its header names', {
        height: header.height,
        named: header.stateRoot,
        computed: executed.stateRoot,
      });
}

/**
 * Whether to vote for a block of this time; never asked of a block that a quorum voted for.
 *
 * Refusals: `timestamp-ahead`, `timestamp-behind`.
 *
 * @param nowSeconds this validator's clock
 */
export function checkVotingTime(block: Block, parentTimestamp: number, nowSeconds: number): Result<void> {
  const { timestamp } = block.header;
  const latest = Math.max(parentTimestamp, nowSeconds + MAX_CLOCK_LEAD_SECONDS);
  if (timestamp > latest) {
    return refuse('timestamp-ahead', "the block's time is ahead of this validator's clock", { timestamp, latest });
  }
  const earliest = nowSeconds - MAX_CLOCK_LAG_SECONDS;
  if (block.events.length > 0 && timestamp < earliest) {
    return refuse('timestamp-behind', "the block's time is behind this validator's clock", { timestamp, earliest });
  }
  return ok(undefined);
}
