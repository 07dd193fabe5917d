/** The checks of the scenarios themselves: each must notice what it is there for. */
import { describe, expect, test } from 'vitest';
import { sha256Hex } from '../../src/base/hash.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { makeBlock, type Block } from '../../src/ledger/block.ts';
import { decodeSignedEvent, type SignedEvent } from '../../src/ledger/event.ts';
import { unwrap } from '../../src/base/result.ts';
import { ballotFaults, type SeenBallot } from './ballots.ts';
import { historyFaults } from './history.ts';
import { authors, type Acknowledgement, type Author } from './load.ts';

const CHAIN_ID = `test-${'0'.repeat(32)}`;

type Kind = SeenBallot['ballot'];

/** @param text what was signed, in short */
function sent(ballot: Kind, round: number, text: string, signer = 0): SeenBallot {
  return { ballot, epoch: 0, round, digest: sha256Hex(utf8(text)), signer, process: 1, seen: 'sent' };
}

function received(of: SeenBallot): SeenBallot {
  return { ...of, seen: 'received' };
}

describe('the check of ballots finds', () => {
  const first = sent('vote', 1, 'a');
  const second = sent('vote', 2, 'b');

  test('nothing where each round has one vote, sent again as often as you like, and then perhaps a timeout', () => {
    const timeout = sent('timeout', 2, 'c');
    const honest = [
      first,
      received(first),
      second,
      timeout,
      second,
      timeout,
      sent('vote', 5, 'd'),
      sent('vote', 1, 'e', 1),
    ];
    expect(ballotFaults(honest)).toEqual([]);
  });

  test.each<[string, readonly SeenBallot[], RegExp]>([
    [
      'two different votes of one validator for one round',
      [first, second, sent('vote', 2, 'c')],
      /^two different ballots: vote/,
    ],
    [
      'two different proposals',
      [sent('proposal', 3, 'a'), sent('proposal', 3, 'b')],
      /^two different ballots: proposal/,
    ],
    ['a second timeout', [sent('timeout', 3, 'a'), sent('timeout', 3, 'b')], /^two different ballots: timeout/],
    [
      'a vote after the timeout of its round',
      [sent('timeout', 2, 'c'), second],
      /a new vote for round 2 after round 2/,
    ],
    ['a vote for an earlier round', [second, first], /a new vote for round 1 after round 2/],
    ['a timeout of an earlier round', [second, sent('timeout', 1, 'c')], /a new timeout for round 1 after round 2/],
    ['a vote that its signer did not trace', [first, received(second)], /sent a vote of round 2 untraced/],
    [
      'a double vote that only a receiver saw',
      [first, second, received(sent('vote', 2, 'c'))],
      /^two different ballots/,
    ],
  ])('%s', (_what, ballots, fault) => {
    expect(ballotFaults(ballots)[0]).toMatch(fault);
  });
});

describe('the check of history finds', () => {
  const [one, two] = authors(CHAIN_ID, 2) as [Author, Author];
  const events = [one.next(), two.next(), one.next()].map(({ bytes }) => unwrap(decodeSignedEvent(CHAIN_ID, bytes)));
  const [a, b, c] = events as [SignedEvent, SignedEvent, SignedEvent];

  function chain(...contents: readonly (readonly SignedEvent[])[]): Block[] {
    const blocks: Block[] = [];
    for (const content of contents) {
      const parentId = blocks.at(-1)?.id ?? sha256Hex(utf8('genesis'));
      const hashes = { justifyDigest: parentId, stateRoot: parentId, parentId };
      const position = { epoch: 0, round: blocks.length + 1, height: blocks.length + 1 };
      const header = { chainId: CHAIN_ID, proposer: '', timestamp: 1, nextValidatorSet: null, ...hashes, ...position };
      blocks.push(makeBlock(header, content));
    }
    return blocks;
  }

  function told({ event, id }: SignedEvent, height: number | null): Acknowledgement {
    return { id, peerId: event.peerId, seq: event.seq, height, by: 'validator-1', atMs: 0 };
  }

  test('nothing where every acknowledged event is in its block, once', () => {
    expect(historyFaults(chain([a, b], [], [c]), [told(a, 1), told(b, null), told(c, 3)])).toEqual([]);
  });

  test.each<[string, readonly Block[], readonly Acknowledgement[], RegExp]>([
    ['an event that is gone', chain([a]), [told(a, 1), told(b, 1)], /is in no block/],
    ['an event in another block than was said', chain([a], [b]), [told(b, 1)], /is in block 2; validator-1 said 1/],
    ['an event in two blocks', chain([a], [a]), [], /is in blocks 1 and 2/],
    ['events of a node out of order', chain([c], [a]), [], /out of order/],
    ['a gap', chain([a], [b], [c]).toSpliced(1, 1), [], /block 3 does not follow block 1/],
  ])('%s', (_what, blocks, acknowledged, fault) => {
    expect(historyFaults(blocks, acknowledged).join('\n')).toMatch(fault);
  });
});
