import { expect, test } from 'vitest'
import { notesOf } from '../../../../src/control/config/notes.ts'
import { parse } from '../../../support/config.ts'

const NETWORKS = `
networks:
  here: { vni: 1, security: plain }
  apart: { vni: 2, security: plain, netns: tenant }
  pods: { type: flannel, security: plain, netns: /run/netns/pods }
control: { etcd: { endpoints: [http://198.18.0.9:2379] } }
`
const notes = (more: string) => notesOf(parse(`${NETWORKS}${more}`))

test('rules of the host that do not reach a network in a namespace of its own are named, each network', () => {
  expect(notes('masquerade: true\nports: ["8080:10.42.3.7:80"]')).toEqual(
    [
      ['apart', 'tenant'],
      ['pods', '/run/netns/pods'],
    ].map(
      ([name, netns]) =>
        `networks.${name}.netns: namespace ${netns} has a firewall of its own, which the agent leaves alone: masquerade and ports of this file mean nothing there (docs/host-rules.md)`,
    ),
  )
})

test('where nothing is asked for there is nothing to say', () => {
  expect([notes(''), notes('notrack: true'), notes('masquerade: true\nfirewall: off')]).toEqual([[], [], []])
})
