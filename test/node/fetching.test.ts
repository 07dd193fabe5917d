import { beforeEach, describe, expect, test } from 'vitest';
import { CodedError, codedError, ok, refuse, type Result } from '../../src/base/result.ts';
import type { Hash } from '../../src/base/hash.ts';
import type { Input } from '../../src/consensus/engine.ts';
import type { AdmissionView } from '../../src/hotstuff/admission.ts';
import type { AdmittedMessage } from '../../src/hotstuff/messages.ts';
import { encodeStoredBlock } from '../../src/hotstuff/stored-block.ts';
import { encodeSealedBlock } from '../../src/ledger/block.ts';
import { Admission } from '../../src/node/admit.ts';
import { EventVerifier } from '../../src/node/event-verifier.ts';
import { Fetching } from '../../src/node/fetching.ts';
import type { BlockSyncClient } from '../../src/net/block-sync.ts';
import { genesisCertificate } from '../../src/qc/certificate.ts';
import type { CollectOutcome } from '../../src/qc/collect.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { SealedChain } from '../ledger/chain.ts';
import { chain as hotstuffChain, certificateOf, GENESIS, linkOn } from '../hotstuff/links.ts';
import { InPlaceVerifier } from './in-place-verifier.ts';

type Sealed = Result<readonly Uint8Array[]>;

const sealedChain = new SealedChain();
for (let i = 0; i < 4; i++) sealedChain.commit();
const sealedAt = (height: number) => encodeSealedBlock(sealedChain.sealedAt(height));

let asked: string[];
let servers: Map<string, () => Promise<Sealed>>;
let offered: Input<AdmittedMessage, CollectOutcome>[];
let refused: [from: number, code: string][];

beforeEach(() => {
  asked = [];
  servers = new Map();
  offered = [];
  refused = [];
});

function admissionOf(chainId: string, context: ConstructorParameters<typeof Admission>[0]['context']): Admission {
  return new Admission({
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
}

const { chainId, validators } = sealedChain;
const sealedContext = { chainId, validators, genesis: genesisCertificate(0, sealedChain.state.block.id) };

/** A fetch by id asks nothing of it but the epoch. */
const VIEW: AdmissionView = {
  context: sealedContext,
  self: 0,
  round: 1,
  highCertificateRound: 0,
  lastVotedRound: 0,
  lastVote: null,
  verifiedCertificate: () => undefined,
  verifiedTimeoutCertificate: () => undefined,
};

function fetchingOver(admission: Admission): Fetching {
  const answer = ({ peerId }: { readonly peerId: string }): Promise<Sealed> => {
    asked.push(peerId);
    return servers.get(peerId)?.() ?? Promise.reject(codedError('dial-failed', 'nobody is there'));
  };
  const client: Pick<BlockSyncClient, 'sealed' | 'blocks'> = { sealed: answer, blocks: answer };
  return new Fetching({
    client,
    admission,
    view: () => VIEW,
    target: (index) => ({ peerId: `server ${index}`, multiaddrs: [] }),
    offer: (input) => offered.push(input),
    onRefused: (from, { code }) => refused.push([from, code]),
  });
}

function serve(index: number, answer: Sealed | (() => Promise<Sealed>)): void {
  servers.set(`server ${index}`, typeof answer === 'function' ? answer : () => Promise.resolve(answer));
}

describe('a fetch of committed blocks', () => {
  const fetch = (from: readonly number[], fromHeight = 1) =>
    fetchingOver(admissionOf(chainId, sealedContext)).perform({
      request: 5,
      what: { kind: 'sealed', fromHeight },
      from,
    });
  const heights = () => offered.map((input) => (input.kind === 'sealed' ? input.blocks.map(heightOf) : input));
  const heightOf = ({ block }: { readonly block: { readonly header: { readonly height: number } } }) =>
    block.header.height;

  test('hands verified blocks to the engine', async () => {
    serve(1, ok([1, 2, 3].map(sealedAt)));
    await fetch([1]);
    expect(heights()).toEqual([[1, 2, 3]]);
    expect(refused).toEqual([]);
  });

  test('is refused where too many wait for servers that do not answer, and taken again when these ended', async () => {
    const silence = Promise.withResolvers<Sealed>();
    serve(1, () => silence.promise);
    const fetching = fetchingOver(admissionOf(chainId, sealedContext));
    const ask = (request: number) => fetching.perform({ request, what: { kind: 'sealed', fromHeight: 1 }, from: [1] });
    const waiting = Array.from({ length: 64 }, (_, request) => ask(request));
    await ask(64);
    expect(asked).toHaveLength(64);
    expect(offered).toMatchObject([{ kind: 'fetchFailed', request: 64, refusal: { code: 'fetch-busy' } }]);
    silence.resolve(ok([sealedAt(1)]));
    await Promise.all(waiting);
    await ask(65);
    expect(asked).toHaveLength(65);
    expect(offered.at(-1)).toMatchObject({ kind: 'sealed', request: 65 });
  });

  test('asks the next server when one is not there, has nothing, refuses or lies', async () => {
    const damaged = sealedAt(1).map((byte, i) => (i === 40 ? byte ^ 1 : byte));
    serve(1, ok([]));
    serve(2, refuse('busy', 'text'));
    serve(3, ok([sealedAt(2), sealedAt(3)]));
    serve(4, ok([damaged, sealedAt(2)]));
    serve(5, ok([sealedAt(1)]));
    await fetch([0, 1, 2, 3, 4, 5]);
    expect(heights()).toEqual([[1]]);
    expect(refused.slice(0, 4)).toEqual([
      [0, 'dial-failed'],
      [1, 'fetch-unserved'],
      [2, 'busy'],
      [3, 'fetch-answer-wrong'],
    ]);
    expect(refused).toHaveLength(5);
    expect(asked).toEqual([0, 1, 2, 3, 4, 5].map((index) => `server ${index}`));
  });

  test('keeps what is good before the first bad block', async () => {
    serve(1, ok([sealedAt(1), sealedAt(2), sealedAt(4)]));
    await fetch([1]);
    serve(1, ok([sealedAt(1), Uint8Array.of(1), sealedAt(3)]));
    await fetch([1]);
    expect(heights()).toEqual([[1, 2], [1]]);
  });

  test('tells the engine when nobody could serve it, and why the last one could not', async () => {
    serve(1, refuse('busy', 'text'));
    await fetch([0, 1]);
    expect(offered).toMatchObject([{ kind: 'fetchFailed', request: 5, refusal: { code: 'busy' } }]);
    await fetch([]);
    expect(offered[1]).toMatchObject({ kind: 'fetchFailed', refusal: { code: 'fetch-unserved' } });
  });

  test('fails on what is our own bug', async () => {
    serve(1, () => Promise.reject(new TypeError('our own bug')));
    await expect(fetch([1])).rejects.toThrow('our own bug');
    serve(1, () => Promise.reject(new CodedError({ code: 'deadline-passed', message: '', details: {} })));
    await fetch([1]);
    expect(refused).toEqual([[1, 'deadline-passed']]);
  });
});

describe('a fetch of blocks by id', () => {
  const context = {
    chainId: hotstuffChain.chainId,
    validators: hotstuffChain.validators,
    genesis: hotstuffChain.genesisCertificate,
  };
  const link = linkOn(GENESIS, 1);
  const stored = encodeStoredBlock({ block: link.block, justify: certificateOf(GENESIS) });
  const fetch = (from: readonly number[], ids: readonly Hash[] = [link.id]) =>
    fetchingOver(admissionOf(context.chainId, context)).perform({ request: 6, what: { kind: 'blocks', ids }, from });

  test('hands them to the engine as the answer to its request', async () => {
    serve(1, ok([stored]));
    await fetch([1]);
    expect(offered).toMatchObject([
      { kind: 'fetched', request: 6, message: { kind: 'blocks', blocks: [{ block: { id: link.id } }] } },
    ]);
  });

  test('asks the next server when one does not hold the block, or sends none', async () => {
    serve(1, ok([]));
    serve(2, ok([Uint8Array.of(7)]));
    serve(3, ok([stored]));
    await fetch([1, 2, 3]);
    expect(refused).toEqual([
      [1, 'fetch-unserved'],
      [2, 'undecodable'],
    ]);
    expect(offered).toMatchObject([{ kind: 'fetched' }]);
  });
});
