;; SPDX-License-Identifier: Apache-2.0
;; Counts the presses of a button between its pin and ground; the count survives restarts and power cuts.
(module
  (import "pico:gpio" "pin" (func $pin (param i32) (result i32)))
  (import "pico:gpio" "configure" (func $configure (param i32 i32) (result i32)))
  (import "pico:gpio" "watch" (func $watch (param i32 i32) (result i32)))
  (import "pico:gpio" "wait" (func $wait (param i32 i32) (result i32)))
  (import "pico:kv" "get" (func $get (param i32 i32 i32 i32) (result i32)))
  (import "pico:kv" "set" (func $set (param i32 i32 i32 i32) (result i32)))
  (import "pico:log" "write" (func $log (param i32 i32 i32) (result i32)))
  (memory 256 256 (pagesize 1))
  (global $end (mut i32) (i32.const 0))
  ;; the count is at 0
  (data (i32.const 8) "presses")
  (data (i32.const 16) "no pin was granted")
  (data (i32.const 48) "pressed, count ")

  (func $digits (param $value i32)
    (if (i32.gt_u (local.get $value) (i32.const 9)) (then (call $digits (i32.div_u (local.get $value) (i32.const 10)))))
    (i32.store8 (global.get $end) (i32.add (i32.const 48) (i32.rem_u (local.get $value) (i32.const 10))))
    (global.set $end (i32.add (global.get $end) (i32.const 1))))

  (func (export "run") (result i32)
    (local $button i32) (local $edges i32)
    (local.set $button (call $pin (i32.const 0)))
    (if (i32.lt_s (local.get $button) (i32.const 0))
      (then
        (drop (call $log (i32.const 3) (i32.const 16) (i32.const 18)))
        (return (i32.const 1))))
    (drop (call $configure (local.get $button) (i32.const 2)))
    (drop (call $watch (local.get $button) (i32.const 2)))
    (if (i32.ne (call $get (i32.const 8) (i32.const 7) (i32.const 0) (i32.const 4)) (i32.const 4))
      (then (i32.store (i32.const 0) (i32.const 0))))
    (loop $forever
      (local.set $edges (call $wait (local.get $button) (i32.const -1)))
      (if (i32.lt_s (local.get $edges) (i32.const 0)) (then (return (i32.const 0))))
      (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
      (if (i32.lt_s (call $set (i32.const 8) (i32.const 7) (i32.const 0) (i32.const 4)) (i32.const 0))
        (then (return (i32.const 2))))
      (global.set $end (i32.const 63))
      (call $digits (i32.load (i32.const 0)))
      (drop (call $log (i32.const 1) (i32.const 48) (i32.sub (global.get $end) (i32.const 48))))
      (br $forever))
    (unreachable)))
