import { beforeEach, describe, expect, test } from 'vitest';
import type { Hash } from '../../src/base/hash.ts';
import { encodeStoredBlock } from '../../src/hotstuff/stored-block.ts';
import { uncommittedBlockOps } from '../../src/ledger/block-log.ts';
import { encodeSealedBlock } from '../../src/ledger/block.ts';
import { blockSource } from '../../src/node/block-source.ts';
import type { BlockSource } from '../../src/net/block-sync.ts';
import { SealedChain } from '../ledger/chain.ts';
import { certificateOf, GENESIS, linkOn, linksOf, type Link } from '../hotstuff/links.ts';
import { followingLedger, type FollowingLedger } from './opened.ts';

let chain: SealedChain;
let following: FollowingLedger;
let source: BlockSource;

beforeEach(async () => {
  chain = new SealedChain();
  following = await followingLedger(chain);
  source = blockSource(following.ledger.log, 0);
});

const encoded = ({ block, parent }: Link): Uint8Array =>
  encodeStoredBlock({ block, justify: certificateOf(parent as Link) });

async function keep(links: readonly Link[]): Promise<void> {
  const blocks = links.map((link) => ({ id: link.id, bytes: encoded(link) }));
  await following.ledger.store.batch(uncommittedBlockOps(blocks), { sync: false });
}

const served = (...ids: readonly Hash[]): Uint8Array[] => [...source.blocks(ids)];

describe('the blocks that a node serves', () => {
  test('are the committed ones by height, but not genesis, and no more than are durable', async () => {
    await following.commit([chain.join(1)]);
    following.commitInMemory();
    expect(source.head()).toEqual({ epoch: 0, height: 1, blockId: chain.sealedAt(1).block.id });
    expect(source.sealedAt(0)).toBeUndefined();
    expect(source.sealedAt(1)).toEqual(encodeSealedBlock(chain.sealedAt(1)));
    expect(source.sealedAt(2)).toBeUndefined();
  });

  test('are uncommitted ones by id, each with the ancestors that are not committed either', async () => {
    const links = linksOf(1, 2, 3) as [Link, Link, Link];
    await keep(links);
    expect(served(links[2].id)).toEqual([links[2], links[1], links[0]].map(encoded));
    expect(served(links[0].id)).toEqual([encoded(links[0])]);
    expect(served(GENESIS.id)).toEqual([]);
  });

  test('leave out what is not held, and what lies below it', async () => {
    const [a, b, c] = linksOf(1, 2, 3) as [Link, Link, Link];
    await keep([a, c]);
    expect(served(b.id)).toEqual([]);
    expect(served(c.id)).toEqual([encoded(c)]);
    expect(served(b.id, a.id)).toEqual([encoded(a)]);
  });

  test('are at most sixteen in one answer, by however many ids they are asked for', async () => {
    const links = linksOf(...Array.from({ length: 20 }, (_, i) => i + 1));
    await keep(links);
    expect(served(links[19]!.id)).toEqual(links.slice(4).reverse().map(encoded));
    expect(served(...links.map(({ id }) => id))).toHaveLength(16);
  });

  test('end where damage begins', async () => {
    const [a, b] = linksOf(1, 2) as [Link, Link];
    const fork = linkOn(a, 5, 'fork');
    await keep([a]);
    await following.ledger.store.batch(uncommittedBlockOps([{ id: b.id, bytes: Uint8Array.of(9) }]), { sync: false });
    expect(served(b.id, fork.id, a.id)).toEqual([Uint8Array.of(9), encoded(a)]);
  });
});
