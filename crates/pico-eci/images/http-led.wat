;; SPDX-License-Identifier: Apache-2.0
;; Switches the LED by HTTP: POST /on, POST /off; GET / says which it is. A button on another board can press it.
(module
  (import "pico:led" "set" (func $led (param i32) (result i32)))
  (import "pico:http" "next" (func $next (param i32 i32 i32) (result i32)))
  (import "pico:http" "respond" (func $respond (param i32 i32 i32) (result i32)))
  (import "pico:log" "write" (func $log (param i32 i32 i32) (result i32)))
  (memory 512 512 (pagesize 1))
  (data (i32.const 0) "on\n")
  (data (i32.const 8) "off\n")
  (data (i32.const 16) "no such path: POST /on, POST /off, GET /\n")
  (data (i32.const 64) "POST /on\n")
  (data (i32.const 80) "POST /off\n")
  (data (i32.const 96) "GET /\n")

  ;; Whether the request of $length bytes begins with the $size bytes at $text.
  (func $is (param $length i32) (param $text i32) (param $size i32) (result i32)
    (local $at i32)
    (if (i32.lt_u (local.get $length) (local.get $size)) (then (return (i32.const 0))))
    (loop $next
      (if (i32.ne (i32.load8_u (i32.add (local.get $text) (local.get $at))) (i32.load8_u offset=128 (local.get $at)))
        (then (return (i32.const 0))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $size))))
    (i32.const 1))

  (func $state (param $on i32)
    (if (local.get $on)
      (then
        (drop (call $respond (i32.const 200) (i32.const 0) (i32.const 3))))
      (else (drop (call $respond (i32.const 200) (i32.const 8) (i32.const 4))))))

  (func $switch (param $on i32)
    (drop (call $led (local.get $on)))
    (if (local.get $on)
      (then (drop (call $log (i32.const 1) (i32.const 0) (i32.const 2))))
      (else (drop (call $log (i32.const 1) (i32.const 8) (i32.const 3)))))
    (call $state (local.get $on)))

  (func (export "run") (result i32)
    (local $length i32) (local $on i32)
    (loop $forever
      (local.set $length (call $next (i32.const 128) (i32.const 256) (i32.const -1)))
      (if (i32.lt_s (local.get $length) (i32.const 0)) (then (return (i32.const 0))))
      (if (call $is (local.get $length) (i32.const 64) (i32.const 9))
        (then (local.set $on (i32.const 1)) (call $switch (i32.const 1)) (br $forever)))
      (if (call $is (local.get $length) (i32.const 80) (i32.const 10))
        (then (local.set $on (i32.const 0)) (call $switch (i32.const 0)) (br $forever)))
      (if (call $is (local.get $length) (i32.const 96) (i32.const 6))
        (then (call $state (local.get $on)) (br $forever)))
      (drop (call $respond (i32.const 404) (i32.const 16) (i32.const 41)))
      (br $forever))
    (unreachable)))
