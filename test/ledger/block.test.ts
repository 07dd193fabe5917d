import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes } from '../../src/base/bytes.ts';
import { hashFromBytes, sha256, type Hash } from '../../src/base/hash.ts';
import { ok, unwrap } from '../../src/base/result.ts';
import {
  BLOCK_OVERHEAD_BYTES,
  blockIdOf,
  decodeBlock,
  decodeHeader,
  decodeOwnSealedBlock,
  decodeSealedBlock,
  encodeBlock,
  encodeSealedBlock,
  EVENT_OVERHEAD_BYTES,
  makeBlock,
  MAX_BLOCK_BYTES,
  MAX_BLOCK_EVENTS,
  type Block,
  type BlockHeader,
} from '../../src/ledger/block.ts';
import { checkAgainstParent, checkBlockSize, checkStateRoot, checkVotingTime } from '../../src/ledger/block-rules.ts';
import { eventsRoot } from '../../src/ledger/events-root.ts';
import { SealedChain } from './chain.ts';
import { codeOf } from './nodes.ts';

const chain = new SealedChain();
const block = chain.blockOf([chain.join(1), chain.join(2), chain.join(3)]);

function withHeader(changes: Partial<Omit<BlockHeader, 'eventsRoot' | 'version'>>, from: Block = block): Block {
  return makeBlock({ ...from.header, ...changes }, from.events);
}

describe('a block', () => {
  test('survives its encoding, and its id is of the header bytes that travelled', () => {
    const decoded = unwrap(decodeBlock(chain.chainId, encodeBlock(block)));
    expect(decoded.id).toBe(block.id);
    expect(decoded.header).toEqual(block.header);
    expect(decoded.events.map(({ id }) => id)).toEqual(block.events.map(({ id }) => id));
    expect(encodeBlock(decoded)).toEqual(encodeBlock(block));
    expect(blockIdOf(decoded.headerBytes)).toBe(block.id);
  });

  test('has another id for any other field of its header', () => {
    const { header } = block;
    const others: Partial<BlockHeader>[] = [
      { epoch: 1 },
      { round: header.round + 1 },
      { height: header.height + 1 },
      { parentId: header.stateRoot },
      { justifyDigest: header.stateRoot },
      { proposer: 'another' },
      { timestamp: header.timestamp + 1 },
      { stateRoot: header.parentId },
      { nextValidatorSet: header.parentId },
    ];
    const ids = new Set([block.id, ...others.map((changes) => withHeader(changes).id)]);
    expect(ids.size).toBe(others.length + 1);
  });

  test('of another chain, with other events, or of an unknown version is refused', () => {
    const bytes = encodeBlock(block);
    expect(codeOf(decodeBlock('other-chain', bytes))).toBe('chain-id-mismatch');
    const swapped = { ...block, events: block.events.toReversed() };
    expect(codeOf(decodeBlock(chain.chainId, encodeBlock(swapped)))).toBe('events-root-mismatch');
    const fewer = { ...block, events: block.events.slice(1) };
    expect(codeOf(decodeBlock(chain.chainId, encodeBlock(fewer)))).toBe('events-root-mismatch');
    const future = Uint8Array.from(block.headerBytes);
    expect(future[1]).toBe(1);
    future[1] = 2;
    expect(codeOf(decodeHeader(future))).toBe('block-version-unknown');
    const foreign = withHeader({ chainId: 'test-ffffffffffffffffffffffffffffffff' });
    expect(codeOf(decodeBlock(chain.chainId, encodeBlock(foreign)))).toBe('chain-id-mismatch');
  });

  test('altered in any byte is refused, or is another block', () => {
    const bytes = encodeBlock(block);
    for (let i = 0; i < bytes.length; i++) {
      const altered = bytes.slice();
      altered[i] = (altered[i] as number) ^ (1 << (i % 8));
      const decoded = decodeBlock(chain.chainId, altered);
      if (decoded.ok) expect(decoded.value.id, `byte ${i}`).not.toBe(block.id);
    }
  });

  test('is bounded in bytes and events, and a proposer that keeps to the bounds makes no larger one', () => {
    const many = Array.from({ length: MAX_BLOCK_EVENTS + 1 }, () => block.events[0] as never);
    expect(codeOf(checkBlockSize(makeBlock(block.header, many)))).toBe('block-too-large');
    expect(codeOf(decodeBlock(chain.chainId, encodeBlock(makeBlock(block.header, many))))).toBe('undecodable');
    expect(codeOf(decodeBlock(chain.chainId, new Uint8Array(MAX_BLOCK_BYTES + 1)))).toBe('too-large');
    const full = makeBlock({ ...block.header, proposer: 'x'.repeat(64), nextValidatorSet: block.id }, block.events);
    const eventBytes = full.events.reduce((sum, { bytes }) => sum + bytes.length + EVENT_OVERHEAD_BYTES, 0);
    expect(encodeBlock(full).length).toBeLessThanOrEqual(eventBytes + BLOCK_OVERHEAD_BYTES);
  });

  test('sealed survives its encoding; the seal has no part in the id', () => {
    const sealed = { block, seal: chain.seal(block) };
    const decoded = unwrap(decodeSealedBlock(chain.chainId, encodeSealedBlock(sealed)));
    expect(decoded.block.id).toBe(block.id);
    expect(decoded.seal).toEqual(sealed.seal);
    const other = { block, seal: { kind: 'raft' as const, bytes: Uint8Array.of(1, 2, 3) } };
    expect(unwrap(decodeSealedBlock(chain.chainId, encodeSealedBlock(other))).block.id).toBe(block.id);
    expect(codeOf(decodeSealedBlock('other-chain', encodeSealedBlock(sealed)))).toBe('chain-id-mismatch');
    expect(decodeOwnSealedBlock(chain.chainId, encodeSealedBlock(sealed))).toEqual(ok(decoded));
    const damaged = { block: { ...block, events: [] }, seal: sealed.seal };
    expect(codeOf(decodeOwnSealedBlock(chain.chainId, encodeSealedBlock(damaged)))).toBe('events-root-mismatch');
  });

  test('of random bytes is refused without an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(decodeBlock(chain.chainId, bytes).ok).toBe(false);
        expect(decodeSealedBlock(chain.chainId, bytes).ok).toBe(false);
      }),
      { seed: 5, numRuns: 300 },
    );
  });
});

describe('the events root', () => {
  /** RFC 6962, section 2.1, word for word. */
  function definition(leaves: readonly Uint8Array[]): Uint8Array {
    if (leaves.length === 0) return sha256(new Uint8Array(0));
    if (leaves.length === 1) return sha256(concatBytes(Uint8Array.of(0), leaves[0] as Uint8Array));
    let k = 1;
    while (2 * k < leaves.length) k *= 2;
    return sha256(concatBytes(Uint8Array.of(1), definition(leaves.slice(0, k)), definition(leaves.slice(k))));
  }

  test('is that of RFC 6962 for any number of events', () => {
    for (let count = 0; count <= 70; count++) {
      const leaves = Array.from({ length: count }, (_, i) => Uint8Array.of(i, count));
      expect(eventsRoot(leaves), `${count} leaves`).toBe(hashFromBytes(definition(leaves)));
    }
  });

  test('agrees with the vectors of certificate-transparency-go', () => {
    const hex = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
    const leaves = hex.map((digits) => Uint8Array.from(Buffer.from(digits, 'hex')));
    expect(eventsRoot([])).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' as Hash);
    expect(eventsRoot(leaves.slice(0, 1))).toBe('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d');
    expect(eventsRoot(leaves.slice(0, 3))).toBe('aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77');
    expect(eventsRoot(leaves)).toBe('5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328');
  });
});

describe('the rules of a block', () => {
  const { header, id } = chain.head;
  const parent = { id, ...header };

  test('hold for a block on its parent', () => {
    expect(codeOf(checkAgainstParent(block.header, parent))).toBe('applied');
    expect(codeOf(checkBlockSize(block))).toBe('applied');
    expect(codeOf(checkAgainstParent(withHeader({ round: 9 }).header, parent))).toBe('applied');
  });

  test.each([
    ['wrong-parent', { parentId: block.id }],
    ['wrong-epoch', { epoch: 1 }],
    ['wrong-height', { height: 2 }],
    ['wrong-height', { height: 0 }],
    ['round-not-above-parent', { round: 0 }],
    ['timestamp-before-parent', { timestamp: header.timestamp - 1 }],
  ] as const)('%s refuses %o', (code, changes) => {
    expect(codeOf(checkAgainstParent(withHeader(changes).header, parent))).toBe(code);
  });

  test('a state root that execution does not reach is refused', () => {
    expect(codeOf(checkStateRoot(block.header, { stateRoot: block.header.stateRoot }))).toBe('applied');
    expect(codeOf(checkStateRoot(block.header, { stateRoot: block.id }))).toBe('state-root-mismatch');
  });
});

describe('the time of a block, when voting', () => {
  const now = block.header.timestamp;
  const empty = makeBlock(block.header, []);

  test.each([
    ['applied', block, now, now],
    ['applied', block, now, now - 5],
    ['timestamp-ahead', block, now - 6, now - 6],
    ['applied', block, now, now + 60],
    ['timestamp-behind', block, now, now + 61],
  ] as const)('%s: block %#', (code, proposed, parentTimestamp, clock) => {
    expect(codeOf(checkVotingTime(proposed, parentTimestamp, clock))).toBe(code);
  });

  test('of an empty block may be as old as its parent', () => {
    expect(codeOf(checkVotingTime(empty, now, now + 86_400))).toBe('applied');
  });

  test("may be its parent's though this validator's clock is behind both", () => {
    expect(codeOf(checkVotingTime(empty, now, now - 3600))).toBe('applied');
    expect(codeOf(checkVotingTime(empty, now - 1, now - 3600))).toBe('timestamp-ahead');
  });
});
