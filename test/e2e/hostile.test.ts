/**
 * Everything that a peer, a submitter or a validator with bad intent may send over real sockets: each is answered with
 * its code or cut off, and the ledger is afterwards what it was before.
 */
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { unwrap } from '../../src/base/result.ts';
import { BLOCK_SYNC_PROTOCOL, BlockSyncClient } from '../../src/net/block-sync.ts';
import type { Host, PeerTarget } from '../../src/net/host.ts';
import { read, READ_PROTOCOL } from '../../src/net/read.ts';
import {
  MAX_SUBMISSION_FRAME_BYTES,
  SUBMISSION_PROTOCOL,
  submissionReplyCodec,
  submissionRequestCodec,
} from '../../src/net/submission-wire.ts';
import { CONSENSUS_PROTOCOL } from '../../src/net/validator-streams.ts';
import { loadIdentityKey } from '../../src/node/keys.ts';
import type { OwnSignedEvent } from '../../src/node/sign-event.ts';
import { eventually } from '../eventually.ts';
import { validatorNames } from './ballots.ts';
import { TestNetwork } from './harness.ts';
import { announce, hostileBlocks } from './hostile-gossip.ts';
import { framed, hostileFrames, reactionOf, sendBytes, throwBytes, type Reaction } from './hostile-streams.ts';
import { hostileEvents, hostileTexts, type Parties } from './hostile-submissions.ts';
import { hostileValidatorFrames, sendAsValidator } from './hostile-validator.ts';
import { authors, Submitters, type Author } from './load.ts';
import { requestBytes } from './request-bytes.ts';
import { stranger } from './stranger.ts';

const DEADLINE = { deadlineMs: 20_000 };
const STREAMS = 1_000;
const OF_LIBP2P = ['/masa/kad/1.0.0', '/meshsub/1.1.0', '/ipfs/id/1.0.0', '/ipfs/ping/1.0.0'];

test('whatever is sent over real sockets is refused by its code and changes nothing', async () => {
  const network = await TestNetwork.make({ settings: { log: { level: 'debug' } } });
  // The validator that opens the streams to all others is the one in the wrong hands.
  const [captured = '', here = '', ...others] = validatorNames(network);
  await network.startNodes([here, ...others, 'observer']);
  await eventually(`${here} reaches a quorum`, async () => (await network.reachesQuorum(here)) || undefined);
  const honest = new Submitters(network);
  const ed25519 = authors(network.chainId, 8).filter(({ key }) => key.keyType === 'ed25519');
  const [attacker, victim] = ed25519 as [Author, Author];
  const [last, lastOfVictim] = [attacker.next(), victim.next()] as [OwnSignedEvent, OwnSignedEvent];
  for (const event of [last, lastOfVictim]) await honest.acknowledged(here, event);
  const running = [here, ...others, 'observer'];
  const before = await network.level(running, 1);
  const target = network.target(here);
  const host = await stranger(network, { key: attacker.key });
  const slow = slowly(await stranger(network), target);

  await submissions(host, target, { attacker, last, victim, lastOfVictim });
  await frames(network, host, target);
  await gossip(network);
  await asValidator(network, captured, target, here, victim);
  await noise(host, target);
  await manyStreams(network, target);
  expect(await slow).toBe('deadline-passed');

  expect(await network.level(running)).toEqual(before);
  await honest.acknowledged(here, victim.next());
  const after = await network.level(running, before.height + 1);
  expect(after.stateRoot).not.toBe(before.stateRoot);
  for (const name of running) expect(network.process(name).end).toBeUndefined();
});

async function submissions(host: Host, to: PeerTarget, parties: Parties): Promise<void> {
  const answers: [string, string][] = [];
  const texts = hostileTexts(parties);
  for (const { name, text } of texts) {
    const answer = await sendBytes(host, to, SUBMISSION_PROTOCOL, typeof text === 'string' ? utf8(text) : text);
    answers.push([name, answer === 'reset' ? answer : codeOfJson(answer)]);
  }
  expect(answers).toEqual(texts.map(({ name, code }) => [name, code]));

  const events = hostileEvents(parties);
  const batch = { number: 1, acknowledge: 'committed' as const, events: events.map(({ bytes }) => bytes) };
  const reply = await sendBytes(host, to, SUBMISSION_PROTOCOL, framed(submissionRequestCodec.encode(batch)));
  const decoded = unwrap(submissionReplyCodec.decode(contentOf(reply)));
  if (decoded.kind !== 'answers') throw new Error(`the batch was refused: ${decoded.refusal.code}`);
  const codes = decoded.answers.map((answer) => (answer.kind === 'refused' ? answer.refusal.code : answer.kind));
  expect(events.map(({ name }, i) => [name, codes[i]])).toEqual(events.map(({ name, code }) => [name, code]));
}

function codeOfJson(answer: Uint8Array): string {
  const value = JSON.parse(Buffer.from(answer).toString()) as 'ACK' | { readonly error: { readonly code: string } };
  return value === 'ACK' ? value : value.error.code;
}

/** Frames that do not decode, to every protocol that takes frames from strangers. */
async function frames(network: TestNetwork, host: Host, to: PeerTarget): Promise<void> {
  const peerIds = [network.node('observer').peerId];
  const protocols = [
    { protocol: READ_PROTOCOL, ask: () => read(host, fake, { kind: 'records', peerIds, withAge: false }, DEADLINE) },
    { protocol: BLOCK_SYNC_PROTOCOL, ask: () => BlockSyncClient.over(host).sealed(fake, 1, DEADLINE) },
  ];
  const recorder = await stranger(network, { listens: true });
  const fake = { peerId: recorder.peerId, multiaddrs: recorder.addresses() };
  for (const { protocol, ask } of protocols) {
    const valid = await requestBytes(recorder, protocol, ask);
    for (const [name, bytes] of Object.entries(hostileFrames(valid, 8 << 10))) {
      const reaction = await sendBytes(host, to, protocol, bytes);
      expect([protocol, name, refusalIn(reaction)]).toEqual([protocol, name, expect.stringMatching(REFUSED)]);
    }
  }
  const batch = submissionRequestCodec.encode({ number: 1, acknowledge: 'committed', events: [Uint8Array.of(1)] });
  for (const [name, bytes] of Object.entries(hostileFrames(batch, MAX_SUBMISSION_FRAME_BYTES))) {
    const reaction = await sendBytes(host, to, SUBMISSION_PROTOCOL, bytes);
    const reply = reaction === 'reset' ? undefined : unwrap(submissionReplyCodec.decode(contentOf(reaction)));
    expect([name, reply?.kind ?? 'refused']).toEqual([name, 'refused']);
  }
  // What these answer is libp2p's business; they must end the stream or ignore it, and stay.
  const wrong = Object.values(hostileFrames(Uint8Array.of(0x90), 8 << 10));
  for (const protocol of OF_LIBP2P) for (const bytes of wrong) await throwBytes(host, to, protocol, bytes);
}

const REFUSED = /^(reset|undecodable|non-canonical|too-large)$/;
const REFUSAL_TAG = 1;

/** The code in the answer of an exchange: a frame that begins with the tag of refusals, and holds the code first. */
function refusalIn(reaction: Reaction): string {
  if (reaction === 'reset') return reaction;
  const content = contentOf(reaction);
  if (content[0] !== REFUSAL_TAG) return 'an answer';
  return /[a-z]+(-[a-z]+)*/.exec(Buffer.from(content).toString('latin1'))?.[0] ?? 'no code';
}

/** The content of the only frame. */
function contentOf(reaction: Reaction): Uint8Array {
  if (reaction === 'reset') throw new Error('the stream was reset');
  return reaction.subarray(4);
}

/** Blocks that never were, announced to a node that follows the chain. */
async function gossip(network: TestNetwork): Promise<void> {
  const client = BlockSyncClient.over(await stranger(network));
  const [sealed] = unwrap(await client.sealed(network.target('observer'), 1, DEADLINE));
  for (const { name, message, code } of hostileBlocks(network.chainId, sealed as Uint8Array)) {
    const lines = linesOf(network, 'observer', 'gossip refused').length;
    await announce(network, 'observer', message);
    await eventually(
      `${name} is refused`,
      () => linesOf(network, 'observer', 'gossip refused').length > lines || undefined,
    );
    const line = linesOf(network, 'observer', 'gossip refused').at(-1);
    expect([name, line?.refusal.code]).toEqual([name, code]);
  }
}

async function asValidator(
  network: TestNetwork,
  captured: string,
  to: PeerTarget,
  name: string,
  victim: Author,
): Promise<void> {
  const forged = victim.sign({ type: 'versionChanged', version: 'forged' }, { time: 1 }).bytes.slice();
  forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
  const wrong = hostileValidatorFrames(forged);
  const nobody = await stranger(network);
  expect(await sendBytes(nobody, to, CONSENSUS_PROTOCOL, framed(Uint8Array.of(0)))).toBe('reset');
  const identityKeyFile = join(network.node(captured).directory, 'masa_oracle_key');
  const host = await stranger(network, { key: await loadIdentityKey({ identityKeyFile, identityKeyHex: null }) });
  await sendAsValidator(
    host,
    to,
    wrong.map(({ frame }) => frame),
  );
  for (const { code, name: what } of wrong) {
    if (code === undefined) continue;
    await eventually(
      `${what} is refused`,
      () =>
        linesOf(network, name, 'message refused').some(
          ({ peerId, refusal }) => peerId === host.peerId && refusal.code === code,
        ) || undefined,
    );
  }
}

interface RefusalLine {
  readonly peerId?: string;
  readonly refusal: { readonly code: string };
}

function linesOf(network: TestNetwork, name: string, message: string): RefusalLine[] {
  const lines = network.log(name).split('\n');
  return lines.filter((line) => line.endsWith(`"msg":"${message}"}`)).map((line) => JSON.parse(line) as RefusalLine);
}

/** What is not even libp2p, and handshakes that never end. */
async function noise(host: Host, to: PeerTarget): Promise<void> {
  const [, address = '', port = ''] = /\/ip4\/([\d.]+)\/tcp\/(\d+)/.exec(to.multiaddrs?.[0] ?? '') ?? [];
  for (const bytes of [Buffer.alloc(100_000, 0xff), Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.alloc(0)]) {
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), address, () => socket.end(bytes));
      socket.on('error', () => undefined);
      socket.on('close', () => {
        resolve();
      });
      socket.resume();
    });
  }
  // A connection may have gone meanwhile, as to a peer that sent all that; the node still takes a new one.
  await host.connect(to, DEADLINE);
}

/** Streams that ask for nothing, far beyond what one peer may have; another peer is served meanwhile. */
async function manyStreams(network: TestNetwork, to: PeerTarget): Promise<void> {
  const greedy = await stranger(network);
  await greedy.connect(to, DEADLINE);
  const opened = await Promise.allSettled(
    Array.from({ length: STREAMS }, () => greedy.open(to, READ_PROTOCOL, DEADLINE)),
  );
  expect(opened.some(({ status }) => status === 'rejected')).toBe(true);
  const request = { kind: 'headStatements' } as const;
  expect(unwrap(await read(await stranger(network), to, request, DEADLINE)).length).toBeGreaterThan(0);
}

/** One byte a second of a text that has no end. @returns the code with which the server ended it */
async function slowly(host: Host, to: PeerTarget): Promise<string> {
  const stream = await host.open(to, SUBMISSION_PROTOCOL, DEADLINE);
  const over = new AbortController();
  onTestFinished(() => {
    over.abort();
  });
  const trickle = async (): Promise<void> => {
    while (!over.signal.aborted && stream.status === 'open') {
      stream.send(utf8('{'));
      await delay(1_000, undefined, { signal: over.signal }).catch(() => undefined);
    }
  };
  const [reaction] = await Promise.all([reactionOf(stream), trickle().catch(() => undefined)]);
  return reaction === 'reset' ? reaction : codeOfJson(reaction);
}
