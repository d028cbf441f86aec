#!/usr/bin/env node
import { runCommandLine } from '../conformance/conformanceCommand.ts';
import { loadCases } from './conformance.ts';

process.exitCode = await runCommandLine(process.argv.slice(2), loadCases());
