import { beforeAll, describe, expect, it } from 'vitest';
import { codedError, ok, refuse, type Result } from '../../src/base/result.ts';
import { encodeSealedBlock } from '../../src/ledger/block.ts';
import { Admission } from '../../src/node/admit.ts';
import { BlockServers, type BlockServer } from '../../src/node/block-servers.ts';
import { EventVerifier } from '../../src/node/event-verifier.ts';
import { ObserverFetching } from '../../src/node/observer-fetching.ts';
import { genesisCertificate } from '../../src/qc/certificate.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { SealedChain } from '../ledger/chain.ts';
import { InPlaceVerifier } from './in-place-verifier.ts';

const HEIGHT = 300;

let chain: SealedChain;
let blocks: readonly Uint8Array[];
let admission: Admission;

beforeAll(() => {
  chain = new SealedChain();
  for (let height = 1; height <= HEIGHT; height++) chain.commit();
  blocks = chain.steps.map(({ sealed }) => encodeSealedBlock(sealed));
  const { chainId, validators } = chain;
  const context = { chainId, validators, genesis: genesisCertificate(0, chain.state.block.id) };
  admission = new Admission({
    context,
    verifier: new InPlaceVerifier(context, nativeScheme),
    events: new EventVerifier({
      chainId,
      verifySignature: () => Promise.resolve(true),
      checkEvidence: () => Promise.resolve(ok(undefined)),
      maxRemembered: 10,
    }),
    verifySignature: () => Promise.resolve(true),
    maxUnderCheckPerPeer: 8,
  });
});

type Answer = (fromHeight: number, maxBlocks: number) => Promise<Result<readonly Uint8Array[]>>;

const honest: Answer = (from, max) => Promise.resolve(ok(blocks.slice(from - 1, from - 1 + max)));
const pruned: Answer = () => Promise.resolve(refuse('blocks-pruned', 'not here', { oldest: 200 }));
const nobody: Answer = () => Promise.reject(codedError('dial-failed', 'nobody is there'));
const none: Answer = () => Promise.resolve(ok([]));
/** Blocks of other heights under the seals that were asked for. */
const lies: Answer = (from, max) =>
  Promise.resolve(ok(blocks.slice(from - 1, from - 1 + max).map((block) => block.slice(0, -1))));

function fetching(answers: Readonly<Record<string, Answer>>, tries = 3) {
  const offered: ({ readonly heights: readonly number[] } | { readonly code: string })[] = [];
  const refused: string[] = [];
  const asked: [server: string, fromHeight: number, maxBlocks: number][] = [];
  const known = Object.keys(answers).map((peerId): BlockServer => ({ peerId, multiaddrs: [], validator: null }));
  const made = new ObserverFetching({
    client: {
      sealed: ({ peerId }, fromHeight, { maxBlocks = 0 }) => {
        asked.push([peerId, fromHeight, maxBlocks]);
        return (answers[peerId] ?? nobody)(fromHeight, maxBlocks);
      },
    },
    admission,
    servers: new BlockServers(() => known),
    tries,
    offer: (input) =>
      void offered.push(
        input.kind === 'sealed'
          ? { heights: input.blocks.map(({ block }) => block.header.height) }
          : { code: input.refusal.code },
      ),
    onRefused: ({ peerId }, { code }, isFalse) => void refused.push(`${peerId} ${code}${isFalse ? '!' : ''}`),
  });
  return { fetching: made, offered, refused, asked };
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('a follower’s fetch', () => {
  it('is served by whoever has the blocks, validator or not', async () => {
    const { fetching: made, offered, refused } = fetching({ a: pruned, b: nobody, archive: honest });
    await made.perform(1, 250);
    expect(offered).toEqual([{ heights: range(250, 300) }]);
    expect(refused).toEqual(['a blocks-pruned', 'b dial-failed']);
  });

  it('takes nothing of who sends what does not hold, and asks that server last from then on', async () => {
    const { asked, fetching: made, offered, refused } = fetching({ liar: lies, b: honest });
    await made.perform(1, 290);
    await made.perform(2, 290);
    await made.perform(3, 290);
    expect(offered).toEqual(Array.from({ length: 3 }, () => ({ heights: range(290, 300) })));
    expect(refused).toEqual([expect.stringMatching(/^liar .*!$/)]);
    expect(asked.filter(([server]) => server === 'liar')).toHaveLength(1);
  });

  it('says that this is the head where somebody has no later block, and else what went wrong', async () => {
    const head = fetching({ a: nobody, b: none, c: nobody });
    await head.fetching.perform(1, 301);
    const silent = fetching({ a: nobody });
    await silent.fetching.perform(1, 301);
    const alone = fetching({});
    await alone.fetching.perform(1, 301);
    expect([head.offered, silent.offered, alone.offered]).toEqual([
      [{ code: 'fetch-unserved' }],
      [{ code: 'dial-failed' }],
      [{ code: 'fetch-unserved' }],
    ]);
  });

  it('is answered from what was fetched ahead, from other servers, while the blocks before were executed', async () => {
    const { asked, fetching: made, offered } = fetching({ a: honest, b: honest });
    await made.perform(1, 1);
    expect(asked).toEqual([
      ['a', 1, 128],
      ['b', 129, 128],
      ['a', 257, 128],
    ]);
    await made.perform(2, 129);
    await made.perform(3, 257);
    expect(offered).toEqual([{ heights: range(1, 128) }, { heights: range(129, 256) }, { heights: range(257, 300) }]);
    expect(asked.slice(3).every(([, fromHeight]) => fromHeight > 300)).toBe(true);
  });

  it('asks again for what was fetched ahead in vain, and only for what is missing before what came', async () => {
    let isDown = false;
    const flaky: Answer = (from, max) =>
      isDown && from === 129 ? nobody(from, max) : honest(from, Math.min(max, 100));
    const { asked, fetching: made, offered } = fetching({ a: flaky });
    await made.perform(1, 1);
    expect(asked).toEqual([
      ['a', 1, 128],
      ['a', 101, 128],
      ['a', 229, 128],
    ]);
    isDown = true;
    await made.perform(2, 101);
    await made.perform(3, 201);
    expect(asked.find(([, from]) => from === 201)).toEqual(['a', 201, 28]);
    expect(offered).toEqual([{ heights: range(1, 100) }, { heights: range(101, 200) }, { heights: range(201, 228) }]);
  });

  it('is refused while too many wait for servers that do not answer', async () => {
    const silence = Promise.withResolvers<Result<readonly Uint8Array[]>>();
    const { fetching: made, offered } = fetching({ a: () => silence.promise });
    const waiting = range(1, 16).map((request) => made.perform(request, 1));
    await made.perform(17, 1);
    expect(offered).toEqual([{ code: 'fetch-busy' }]);
    silence.resolve(ok([]));
    await Promise.all(waiting);
    expect(offered).toHaveLength(17);
  });
});
