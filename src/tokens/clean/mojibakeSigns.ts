import { pythonSpace } from '../../prompt/pythonText.ts';

// Characters that UTF-8 read in another encoding turns into, by how they are used when they are meant.
const everyday = '\xa0\xad·´–—―…’';
const control = '\x80-\x9f';
/** Signs that hardly anybody types. */
const stray = '¦¤¨¬¯¸ƒˆˇ˘˛˜†‡‰⌐◊\ufffdªº';
const law = '¶§';
const currency = '¢£¥₧€';
const opening = '¡«¿©΄΅‘‚“„•‹\uf8ff';
const closing = '®»˝”›™';
const numeric = '²³¹±¼½¾×µ÷⁄∂∆∏∑√∞∩∫≈≠≡≤≥№';
const face = 'Ò-ÖÙ-Üò-öø-üŐŌŪŲ°';
const upperAccented = 'À-ÑØÜÝĂĀĄĆČĎĐĘĚĒĖĞĢİĪĶĹĽŁĻŃŇŅŒŘŚŞŠŢŤŮŰŸŹŻŽҐ';
const lowerAccented = 'ßà-ñüăąāćčďđęěēėğģįīķĺľłļœŕśşšťźżžґﬁﬂ';
const upperPlain = 'ÞΑ-ΩΆΈΉΊΌΎΏΪΫЁ-Я';
const lowerPlain = 'α-ωάέήίΰа-џ';
const box = '│┌┐┘├┤┬┼═-╬▀▄█▌▐░▒▓';

const accented = lowerAccented + upperAccented;
const quotation = opening + closing;
const sign = accented + box + quotation + currency + numeric + law;
const afterArabic = `${everyday}${currency}${stray}${numeric}${opening}ŸŠ®°µ»`;

/** Neighbours that text seldom has and mojibake often: each row a class for each character in turn. */
const neighbours: readonly (readonly string[])[] = [
  [control],
  [stray + sign, stray],
  ['a-zA-Z', lowerPlain + upperPlain, stray],
  [stray, sign],
  [lowerAccented + lowerPlain + box + closing + currency + numeric, upperAccented],
  [box + closing + currency + numeric, lowerAccented],
  [lowerAccented + box + closing, currency],
  [pythonSpace, upperAccented, currency],
  [upperAccented + box, numeric + law],
  [accented + box + currency + closing, opening, numeric],
  [accented + currency + numeric + box + law, closing, opening],
  [currency + numeric + box, opening],
  ['a-z', upperAccented, opening + currency],
  [box, face],
  [accented + currency + numeric + quotation + law, box],
  [box, closing],
  [accented, quotation, String.raw`\p{L}\p{N}_`],
  ['Œœ', '^A-Za-z'],
  [upperAccented, '°'],
  // Latin-1's own characters in Windows-1252, then Arabic and the writings of India.
  ['ÂÃÎÐ', `€œŠš¢£Ÿž\xa0\xad®©°·»${quotation}–—´`],
  ['×', '²³'],
  ['ØÙ', afterArabic, 'ØÙ', afterArabic],
  ['à', '²µ¹¼½¾'],
  // Mac OS Roman.
  ['√', '±∂†≠®™´≤≥¥µø'],
  ['≈', '°¢'],
  ['‚', 'Ä', 'ìîïòôúùû†°¢π'],
  ['‚', 'âó', 'àä°ê'],
  // Windows-1251, also after Windows-1252.
  ['в', 'Ђ'],
  ['ВГРС', `${control}${stray}${quotation}${currency}°µ`, 'ВГРС'],
  ['Г', 'ў', 'В', 'Ђ', 'В', String.raw`^\n`, 'A-Za-z '],
  // The letters à and á, a no-break space, and Â before the very character that it encodes.
  ['Ã', '\xa0¡'],
  [`a-z.,?!${closing}`, 'Â', ` ${quotation}`],
  // Windows-1253 and Windows-1257.
  ['β', '€', '™\xa0Ά\xad®°'],
  ['ΒΓΞΟ', `${control}${stray}${quotation}${currency}°`, 'ΒΓΞΟ'],
  ['ā', '€'],
];

const signs = new RegExp(
  [
    ...neighbours.map((classes) => classes.map((characters) => `[${characters}]`).join('')),
    `(?:^|[a-z][${pythonSpace}]?)[ÃÂ] `,
  ].join('|'),
  'u',
);

/** Whether a text looks like mojibake in any place: `is_bad` of ftfy 6.3.1. */
export function looksGarbled(text: string): boolean {
  return signs.test(text);
}
