/**
 * What a population of nodes looks like. The shares and times are those of the network that masa-oracle ran: median
 * session 8 h, one node in ten flapping every 5 minutes, addresses changed about once a day, capabilities once a week,
 * upgrades reaching 80 % within 2 h. `speed` runs that life faster.
 */
import { codedError } from '../../base/result.ts';

/** Shares of the nodes, each 0 to 1. */
export interface Mix {
  readonly secp256k1: number;
  readonly flapping: number;
  readonly twitter: number;
  readonly web: number;
  readonly discord: number;
  readonly telegram: number;
  /** A new port at each address change and join. */
  readonly ephemeralPort: number;
  readonly ipv6: number;
  /** Reachable through a relay only. */
  readonly relayOnly: number;
  /** One version behind the newest. */
  readonly versionBehind: number;
  /** Attested as staked by a quorum of the validators. */
  readonly staked: number;
  /** Submitting over a connection of its own; the others' events arrive in signed batches. */
  readonly direct: number;
}

export const DEFAULT_MIX: Mix = {
  secp256k1: 0.8,
  flapping: 0.1,
  twitter: 0.35,
  web: 0.4,
  discord: 0.1,
  telegram: 0.05,
  ephemeralPort: 0.2,
  ipv6: 0.1,
  relayOnly: 0.05,
  versionBehind: 0.15,
  staked: 0.6,
  direct: 0.25,
};

/** Seconds at speed 1. */
export const PACE = {
  medianSession: 8 * 3600,
  medianAbsence: 1800,
  flapperSession: 300,
  addressChange: 24 * 3600,
  capabilityChange: 7 * 24 * 3600,
  release: 7 * 24 * 3600,
  /** Four of five nodes have upgraded after this. */
  upgradeMostly: 2 * 3600,
  /** All nodes that come back at once do so within this. */
  rejoinStorm: 60,
} as const;

/**
 * Reads `--mix flapping=0.3,direct=1`.
 *
 * @throws CodedError `usage`
 */
export function parseMix(text: string | undefined): Mix {
  const mix: Record<string, number> = { ...DEFAULT_MIX };
  for (const part of text === undefined || text === '' ? [] : text.split(',')) {
    const [name = '', share = ''] = part.split('=').map((side) => side.trim());
    const value = Number(share);
    if (!Object.hasOwn(DEFAULT_MIX, name) || share === '' || !(value >= 0 && value <= 1)) {
      throw codedError('usage', `--mix takes name=share, share 0 to 1, of: ${Object.keys(DEFAULT_MIX).join(', ')}`, {
        given: part,
      });
    }
    mix[name] = value;
  }
  return mix as unknown as Mix;
}
