/** Every projection that a node keeps. */
import { nodeData } from './node-data.ts';
import { nodeHistory } from './node-history.ts';
import type { Projection } from './projection.ts';
import { statistics } from './statistics.ts';
import { validators } from './validators.ts';

export const CATALOG: readonly Projection[] = [nodeData, validators, nodeHistory, statistics];
