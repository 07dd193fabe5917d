import { nobleScheme } from '../../src/qc/scheme-noble.ts';
import { describeScheme } from './scheme-contract.ts';

describeScheme(nobleScheme);
