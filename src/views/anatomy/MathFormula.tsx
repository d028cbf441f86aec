import { createElement, type ReactNode } from 'react';
import { type Formula, formulaText } from '../../clip/formula.ts';
import styles from './anatomy.module.css';

/** A formula as MathML, which the browser draws; `block` gives it a line of its own. */
export function MathFormula({ formula, block = false }: { readonly formula: Formula; readonly block?: boolean }) {
  return createElement(
    'math',
    { display: block ? 'block' : 'inline', 'aria-label': formulaText(formula), role: 'math' },
    element(formula, 0),
  );
}

function element({ tag, children, role }: Formula, key: number): ReactNode {
  const props = { key, ...(role === 'matrix' && { className: styles.matrixLetter }) };
  return createElement(tag, props, typeof children === 'string' ? children : children.map(element));
}
