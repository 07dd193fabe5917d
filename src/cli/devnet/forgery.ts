/**
 * What hostile nodes try, as masa-oracle's network saw it: each forgery is well formed but for one thing, and must be
 * refused for that one thing.
 */
import type { WrittenEvent } from '../../ledger/event.ts';
import type { IdentityKey } from '../../node/keys.ts';
import { signEvent, type OwnSignedEvent } from '../../node/sign-event.ts';

export const FORGERIES = [
  'another-peer',
  'forged-signature',
  'replay',
  'future-time',
  'milliseconds',
  'foreign-address',
  'self-made-stake',
  'self-made-validator',
  'usurped-vote',
  'oversize',
] as const;
export type ForgeryKind = (typeof FORGERIES)[number];

export interface Forgery {
  readonly kind: ForgeryKind;
  /** Over the adversary's own connection, or in a batch of the relay, where events speak for themselves. */
  readonly by: 'connection' | 'relay';
  readonly event: Pick<OwnSignedEvent, 'bytes' | 'submission'>;
}

export interface ForgeryContext {
  readonly chainId: string;
  /** The adversary's own. */
  readonly key: IdentityKey;
  /** An honest node. */
  readonly victim: string;
  /** An honest node's event that a later one of its own has followed. */
  readonly superseded: OwnSignedEvent | undefined;
  readonly nowMs: number;
}

const A_DAY_SECONDS = 86_400;
/** More than a server reads of one submission. */
const OVERSIZE_CHARACTERS = 64 * 1024;
const SOMEBODY_ELSES_ADDRESS = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed';

/** @returns undefined when there is nothing to replay yet */
export function forge(kind: ForgeryKind, context: ForgeryContext): Forgery | undefined {
  const { chainId, key, nowMs, superseded, victim } = context;
  const joined = {
    type: 'joined',
    peerId: key.peerId,
    seq: nowMs,
    time: Math.floor(nowMs / 1000),
    multiaddrs: ['/ip4/198.51.100.66/tcp/4001'],
    version: 'v0.6.0',
    isTwitterScraper: true,
    isDiscordScraper: false,
    isTelegramScraper: false,
    isWebScraper: false,
  };
  // Fields that no event has, and values that no event takes, are the point.
  const signed = (event: object): OwnSignedEvent => signEvent(key, chainId, event as WrittenEvent);
  const own = (change: object): Forgery => ({ kind, by: 'connection', event: signed({ ...joined, ...change }) });
  switch (kind) {
    case 'another-peer':
      return own({ peerId: victim });
    case 'forged-signature':
      return { kind, by: 'relay', event: signed({ ...joined, peerId: victim }) };
    case 'replay':
      return superseded === undefined ? undefined : { kind, by: 'relay', event: superseded };
    case 'future-time':
      return own({ time: joined.time + A_DAY_SECONDS });
    case 'milliseconds':
      return own({ time: nowMs });
    case 'foreign-address':
      return own({ ethAddress: SOMEBODY_ELSES_ADDRESS });
    case 'self-made-stake':
      return own({ isStaked: true });
    case 'self-made-validator':
      return own({ isValidator: true });
    case 'usurped-vote':
      return { kind, by: 'connection', event: signed(usurpedVote(joined)) };
    case 'oversize':
      return oversize(joined);
  }
}

/** A node that proposes as only a validator may. */
function usurpedVote({ peerId, seq, time }: { peerId: string; seq: number; time: number }): object {
  const action = { kind: 'stakeStatusChanged', peerId, isStaked: true, reference: 'trust me' };
  return { type: 'proposed', peerId, seq, time, action, epoch: 0, replaces: '0'.repeat(64), expires: time + 600 };
}

/** Unsigned: it is too large before anybody looks for a signature. */
function oversize(joined: object): Forgery {
  const event = { ...joined, version: 'v'.repeat(OVERSIZE_CHARACTERS) } as unknown as WrittenEvent;
  return {
    kind: 'oversize',
    by: 'connection',
    event: { bytes: new Uint8Array(), submission: { event, signature: 'AA==' } },
  };
}
