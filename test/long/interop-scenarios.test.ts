/**
 * The scenarios of `test/interop` with another Go server in the place of ours, which shows that they ask for nothing that
 * hashicorp/raft does not do; and what its older protocol can do, with either.
 */
import { describe, test } from 'vitest';
import { needsGo } from '../interop/go-build.ts';
import { joins } from '../interop/joining.ts';
import { leadsGo } from '../interop/leading.ts';
import { goNewcomer, ourNewcomer } from '../interop/newcomer.ts';
import { livesInVersion2 } from '../interop/older-protocol.ts';
import { electsAndIsElected } from '../interop/voting.ts';

describe.runIf(needsGo())('another Go server, among Go servers', () => {
  test('joins by snapshot and log, is promoted, and is then needed by the quorum', () => joins(goNewcomer));
  test('is handed leadership, leads, ships a snapshot to a blank server, hands back, and is removed', () =>
    leadsGo(goNewcomer));
  test('wins an election that only it can win, and elects another', () => electsAndIsElected(goNewcomer));
});

describe.runIf(needsGo()).each([ourNewcomer, goNewcomer])('$what in protocol version 2', (newcomer) => {
  test('joins, leads in its turn, and goes', () => livesInVersion2(newcomer));
});
