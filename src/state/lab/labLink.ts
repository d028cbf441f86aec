/** Everything of the lab that an address brings, and the sentences about what is wrong in it. */

import { shortened } from '../shared.ts';
import { labPairs } from './labParameters.ts';
import { type LabSettings, readLabAddress, settingNames } from './labSettings.ts';
import { type OwnWork, ownNames, readOwnAddress } from './ownWork.ts';

const names: readonly string[] = [...settingNames, ...ownNames];
/** The most problems of a link that are told one by one. */
const mostTold = 3;

export interface LabLink {
  readonly settings: LabSettings;
  readonly own: OwnWork;
  /** Says what the link has wrong and what the lab takes instead; null where all is right. */
  readonly message: string | null;
}

/** Clauses about names that are none, or that stand there twice. */
function wrongNames(hash: string): readonly string[] {
  const given = labPairs(hash).map(([name]) => name);
  const known = given.filter((name) => names.includes(name));
  const strange = new Set(given.filter((name) => !names.includes(name)));
  return [
    ...[...new Set(known.filter((name, i) => known.indexOf(name) < i))].map(
      (name) => `has “lab.${name}” twice; the first is taken`,
    ),
    ...[...strange].map(
      (name) =>
        `has “lab.${shortened(name)}”, which is not known here; known are ${names.map((name) => `lab.${name}`).join(', ')}`,
    ),
  ];
}

/** Reads an address from `#` on; what it does not have is as it is at first. */
export function readLabLink(hash: string): LabLink {
  const { settings, problems } = readLabAddress(hash);
  const { own, problems: ownProblems } = readOwnAddress(hash);
  const all = [...problems, ...ownProblems, ...wrongNames(hash)];
  const told = all.slice(0, mostTold).map((problem, i) => `${i === 0 ? 'The link' : 'It'} ${problem}.`);
  const rest = all.length - told.length;
  if (rest > 0) told.push(`${rest} more of its parameters for the lab ${rest === 1 ? 'is' : 'are'} wrong, too.`);
  return { settings, own, message: told.join(' ') || null };
}
