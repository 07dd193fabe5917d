/**
 * What a submitter may try, each with the code that it must be answered with. The submitter is a node that has joined,
 * over a connection of its own; `victim` is another node that has. Their keys are of one type.
 */
import { canonicalEventJson, encodeSignedEvent } from '../../src/ledger/event.ts';
import type { EventBody, OwnSignedEvent } from '../../src/node/sign-event.ts';
import type { Author } from './load.ts';

export interface HostileText {
  readonly name: string;
  readonly text: string | Uint8Array;
  /** `ACK`: a repeated event is answered as it was before. */
  readonly code: string;
}

export interface HostileEvent {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly code: string;
}

export interface Parties {
  readonly attacker: Author;
  /** The attacker's last committed event. */
  readonly last: OwnSignedEvent;
  readonly victim: Author;
  /** The victim's last committed event. */
  readonly lastOfVictim: OwnSignedEvent;
}

const MANY_ADDRESSES = Array.from({ length: 17 }, (_, i) => `/ip4/10.0.0.${i}/tcp/4001`);
/** 16 addresses within their bounds, whose record is not within its own. */
const LONG_ADDRESSES = Array.from(
  { length: 16 },
  (_, i) => `/dns/${'x'.repeat(63)}.${'y'.repeat(63)}.${'z'.repeat(63)}.${'w'.repeat(40)}${i % 10}/tcp/${1024 + i}`,
);
const CAPABILITIES = {
  isTwitterScraper: false,
  isDiscordScraper: false,
  isTelegramScraper: false,
  isWebScraper: false,
};
const NEW_VERSION: EventBody = { type: 'versionChanged', version: 'v-hostile' };

/** An event with fields that the types do not allow, signed all the same. */
function signedWith(author: Author, body: EventBody, over: Readonly<Record<string, unknown>>): OwnSignedEvent {
  return author.sign(body, over);
}

function joined(multiaddrs: readonly string[] = []): EventBody {
  return { type: 'joined', multiaddrs, version: 'v-hostile', ...CAPABILITIES };
}

function text({ submission }: OwnSignedEvent): string {
  return JSON.stringify(submission);
}

/** The JSON form. */
export function hostileTexts({ attacker, last, victim }: Parties): HostileText[] {
  const nowSeconds = Math.floor(Date.now() / 1000);
  const good = attacker.sign(NEW_VERSION);
  const { event, signature } = good.submission;
  const over = (name: string, body: EventBody, fields: Readonly<Record<string, unknown>>, code: string) => ({
    name,
    text: text(signedWith(attacker, body, fields)),
    code,
  });
  return [
    {
      name: 'a signature of another event',
      text: JSON.stringify({ event, signature: last.submission.signature }),
      code: 'signature-invalid',
    },
    { name: 'no signature', text: JSON.stringify({ event }), code: 'signature-required' },
    {
      name: 'a signature that is cut short',
      text: JSON.stringify({ event, signature: signature.slice(0, 40) }),
      code: 'signature-not-canonical',
    },
    over("another's peer id", NEW_VERSION, { peerId: victim.key.peerId }, 'peer-mismatch'),
    { name: 'a replayed event', text: text(last), code: 'ACK' },
    over('a lower sequence number', NEW_VERSION, { seq: last.event.seq - 1 }, 'superseded'),
    over('the same sequence number with other content', NEW_VERSION, { seq: last.event.seq }, 'sequence-conflict'),
    over('a sequence number that is no number', NEW_VERSION, { seq: '1' }, 'field-invalid'),
    over('a time in milliseconds', NEW_VERSION, { time: Date.now() }, 'time-unit'),
    over('a time an hour ago', NEW_VERSION, { time: nowSeconds - 3600 }, 'clock-skew'),
    over('a time in an hour', NEW_VERSION, { time: nowSeconds + 3600 }, 'clock-skew'),
    over("another's Ethereum address", joined(), { ethAddress: `0x${'5'.repeat(40)}` }, 'eth-address-not-yours'),
    over('stake by itself', joined(), { isStaked: true }, 'field-not-yours'),
    over('a validator by itself', joined(), { isValidator: true }, 'field-not-yours'),
    over('a field that nobody knows', NEW_VERSION, { colour: 'red' }, 'unknown-field'),
    over('a type that nobody knows', NEW_VERSION, { type: 'promoted' }, 'unknown-type'),
    over('seventeen addresses', joined(MANY_ADDRESSES), {}, 'too-many-addresses'),
    over('an address that is too long', joined([`/dns/${'a'.repeat(260)}/tcp/1`]), {}, 'address-too-long'),
    over("another's address", joined([`/ip4/10.0.0.1/tcp/1/p2p/${victim.key.peerId}`]), {}, 'address-of-another-peer'),
    over('a record that is too large', joined(LONG_ADDRESSES), {}, 'record-too-large'),
    over('a heartbeat too soon', { type: 'heartbeat' }, {}, 'heartbeat-too-soon'),
    over('an approval by no validator', { type: 'approved', proposal: last.id }, {}, 'not-a-validator'),
    { name: 'a text that is too large', text: `{"event":"${'x'.repeat(64 << 10)}"}`, code: 'too-large' },
    { name: 'half a JSON object', text: text(good).slice(0, 100), code: 'undecodable' },
    { name: 'bytes that are no UTF-8', text: Uint8Array.of(0x7b, 0xff, 0xfe, 0x7d), code: 'undecodable' },
    { name: 'a list', text: '[1]', code: 'event-malformed' },
    { name: 'nesting without end', text: '['.repeat(20_000), code: 'too-deep' },
    { name: 'a key given twice', text: text(good).replace('"seq":', '"seq":1,"seq":'), code: 'duplicate-key' },
  ];
}

/** The binary form, whose events may be anyone's. */
export function hostileEvents({ attacker, last, victim, lastOfVictim }: Parties): HostileEvent[] {
  const good = attacker.sign(NEW_VERSION);
  const json = canonicalEventJson(good.event);
  const blank = Uint8Array.from([...json.slice(0, 1), 0x20, ...json.slice(1)]);
  const signature = new Uint8Array(Buffer.from(good.submission.signature, 'base64'));
  const stolen = signedWith(attacker, NEW_VERSION, { peerId: victim.key.peerId });
  const stolenSeq = signedWith(attacker, NEW_VERSION, { peerId: victim.key.peerId, seq: lastOfVictim.event.seq });
  return [
    {
      name: "another's event signed by oneself",
      bytes: stolen.bytes,
      code: 'signature-invalid',
    },
    {
      name: "another's sequence number taken",
      bytes: stolenSeq.bytes,
      code: 'sequence-conflict',
    },
    { name: 'an event that is too large', bytes: new Uint8Array(9_000), code: 'too-large' },
    { name: 'no bytes', bytes: new Uint8Array(0), code: 'undecodable' },
    { name: 'an event that is cut short', bytes: good.bytes.slice(0, -1), code: 'undecodable' },
    { name: 'an event with a byte more', bytes: Uint8Array.from([...good.bytes, 0]), code: 'undecodable' },
    { name: 'an event with a blank in its JSON', bytes: encodeSignedEvent(blank, signature), code: 'non-canonical' },
    { name: 'nesting without end', bytes: new Uint8Array(4_000).fill(0x91), code: 'undecodable' },
    {
      name: 'a signature of another event',
      bytes: encodeSignedEvent(json, new Uint8Array(Buffer.from(last.submission.signature, 'base64'))),
      code: 'signature-invalid',
    },
  ];
}
