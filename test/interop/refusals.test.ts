/**
 * What a real Go server of 1.1.2 answers to what is old, new, wrong or from a stranger, byte for byte as it was captured
 * (`test/raft/vectors/errors.json`): the captured file says the truth, and what our servers are held to is what Go does.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Cluster } from './cluster.ts';
import { needsGo } from './go-build.ts';
import { bootstrapFlag, PATIENT_TIMINGS } from './go-launch.ts';
import type { Peer } from './peer.ts';
import { WireClient } from './wire-client.ts';

interface Captured {
  readonly lib: string;
  readonly name: string;
  readonly request: string;
  readonly response: string;
  readonly decoded: readonly [string, { readonly Term?: number } | null] | readonly [];
  readonly closedByPeer: boolean;
}

const VECTORS = join(import.meta.dirname, '..', 'raft', 'vectors', 'errors.json');
const captured = (JSON.parse(readFileSync(VECTORS, 'utf8')) as Captured[]).filter(({ lib }) => lib === 'raft 1.1.2');

/** Who led in the captured messages. */
const LEADER = '127.0.0.1:9';
const NOBODY = { id: 'nobody', address: '127.0.0.1:1' };

test('the captured refusals of 1.1.2 are there', () => expect(captured).toHaveLength(17));

describe.runIf(needsGo())('a Go server that waits', () => {
  test.each(captured)('answers as captured: $name', async ({ request, response, decoded, closedByPeer }) => {
    const { peer, client } = await waitingServer();
    // The term that the capture's server had reached by then; where the request brings it along, this changes nothing.
    const term = decoded[1]?.Term;
    if (term !== undefined) await client.ask(heartbeat(term));
    const answer = await client.ask(Buffer.from(request, 'hex'));
    expect(Buffer.from(answer.bytes).toString('hex')).toBe(response);
    expect(answer.isClosed).toBe(closedByPeer);
    if (!closedByPeer) expect((await client.ask(heartbeat(9_000))).values[0]).toBe('');
    expect((await peer.admin.status()).id).toBe(peer.id);
  });

  test('answers requests that come a byte at a time, and in order those that come at once', async () => {
    const { client } = await waitingServer();
    const slow = await client.ask(heartbeat(5), 1);
    expect(slow.values).toMatchObject(['', { Term: 5, Success: true }]);
    client.send(Buffer.concat([6, 7, 8].map(heartbeat)));
    const terms = [await client.answer(), await client.answer(), await client.answer()].map(
      ({ values }) => (values[1] as { Term: number }).Term,
    );
    expect(terms).toEqual([6, 7, 8]);
  });
});

/** One voter of two, the other of which is nowhere: it follows whoever says that it leads, and never leads itself. */
async function waitingServer(): Promise<{ readonly peer: Peer; readonly client: WireClient }> {
  const cluster = await Cluster.make();
  const peer = await cluster.addGo('n1', { store: 'inmem', timings: PATIENT_TIMINGS });
  await peer.start([bootstrapFlag([peer, NOBODY])]);
  const client = await WireClient.to(peer.address);
  onTestFinished(() => client.close());
  return { peer, client };
}

/** As the captured ones: fields of 1.1.2, `Entries` nil, everything else zero. */
function heartbeat(term: number): Uint8Array {
  const u16 = Buffer.from([0xcd, term >> 8, term & 0xff]);
  const text = (value: string): Buffer => Buffer.concat([Buffer.from([0xa0 | value.length]), Buffer.from(value)]);
  const fields: readonly (readonly [string, Buffer])[] = [
    ['Entries', Buffer.from([0xc0])],
    ['Leader', text(LEADER)],
    ['LeaderCommitIndex', Buffer.from([0])],
    ['PrevLogEntry', Buffer.from([0])],
    ['PrevLogTerm', Buffer.from([0])],
    ['ProtocolVersion', Buffer.from([3])],
    ['Term', u16],
  ];
  return Buffer.concat([
    Buffer.from([0, 0x80 | fields.length]),
    ...fields.flatMap(([name, value]) => [text(name), value]),
  ]);
}
